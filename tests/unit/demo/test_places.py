"""What `up` says where things are, the check and the watchers understand."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.core.documents import SnowflakeConnection
from headrace_apps.demo.check.places import parse_places
from headrace_apps.demo.up import Addresses


def addresses(token: Path, snowflake: SnowflakeConnection) -> Addresses:
    return Addresses("http://127.0.0.1:8080", "t0ken", token, "127.0.0.1:9092", "http://r", snowflake, "HEADRACE")


def test_the_stand_in_is_found_by_its_address(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    stand_in = SnowflakeConnection(account="a", user="u", host="127.0.0.1", port=8888, protocol="http")
    places = parse_places(addresses(token, stand_in).check_arguments())
    assert (places.bootstrap, places.gateway, places.token) == ("127.0.0.1:9092", "http://127.0.0.1:8080", "t0ken")
    assert (places.database, places.registry) == ("HEADRACE", "http://r")
    assert places.snowflake["port"] == 8888
    assert places.snowflake["protocol"] == "http"


@pytest.mark.parametrize("secret", ["password", "key"])
def test_a_real_account_is_entered_with_its_secret(tmp_path: Path, secret: str) -> None:
    token, file = tmp_path / "token", tmp_path / "secret"
    token.write_text("t0ken")
    file.write_text("s3cret\n")
    account = SnowflakeConnection(
        account="a",
        user="u",
        warehouse="w",
        password_file=str(file) if secret == "password" else None,
        private_key_file=str(file) if secret == "key" else None,
    )
    given = parse_places(addresses(token, account).check_arguments()).snowflake
    assert given["protocol"] == "https"
    assert "host" not in given
    if secret == "password":
        assert given["password"] == "s3cret"
    else:
        assert (given["private_key_file"], given["authenticator"]) == (str(file), "SNOWFLAKE_JWT")
