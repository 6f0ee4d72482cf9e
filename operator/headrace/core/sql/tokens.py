"""Flink SQL as a flat list of tokens.

Flink's own planner is the judge of the SQL; the core only needs to see which tables are read and which windows are
used, without a JVM. No SQL library knows Flink's window table functions, so this reads tokens, not a grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

MAX_NESTING = 100


class TokenKind(Enum):
    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    SIGN = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is the identifier without its backticks, the string without its quotes; `line` counts from 1."""

    kind: TokenKind
    text: str
    line: int

    @property
    def upper(self) -> str:
        """A keyword's spelling; a quoted name or a string is never a keyword."""
        return self.text.upper() if self.kind in (TokenKind.WORD, TokenKind.SIGN) else ""

    @property
    def is_name(self) -> bool:
        return self.kind in (TokenKind.WORD, TokenKind.QUOTED)


class SqlError(ValueError):
    """The SQL cannot be used; `line` counts from 1 within it."""

    def __init__(self, message: str, line: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.line, self.hint = line, hint


_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<string>'(?:[^']|'')*')
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<sign>=>|<>|<=|>=|!=|\|\||[-+*/%.,;:()\[\]<>=?{}|&^~@\#$!])
    """,
    re.VERBOSE | re.DOTALL,
)


def tokenize(sql: str) -> list[Token]:
    """The tokens without comments and white space. Raises SqlError for an open quote, comment or a strange sign."""
    tokens: list[Token] = []
    position, line = 0, 1
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None or (sql.startswith("/*", position) and match.lastgroup == "sign"):
            what = {"'": "a string", "`": "a quoted name", "/": "a comment"}.get(sql[position])
            message = f"{what} is never closed" if what else f"has the sign {sql[position]!r}, which is no SQL"
            raise SqlError(message, line)
        text = match.group()
        match match.lastgroup:
            case "string":
                tokens.append(Token(TokenKind.STRING, text[1:-1].replace("''", "'"), line))
            case "quoted":
                tokens.append(Token(TokenKind.QUOTED, text[1:-1].replace("``", "`"), line))
            case "number":
                tokens.append(Token(TokenKind.NUMBER, text, line))
            case "word":
                tokens.append(Token(TokenKind.WORD, text, line))
            case "sign":
                tokens.append(Token(TokenKind.SIGN, text, line))
        line += text.count("\n")
        position = match.end()
    return tokens


def without_end(sql: str) -> str:
    """The statement without what ends it: semicolons, comments and white space, in any order."""
    end = 0
    position = 0
    while position < len(sql) and (match := _TOKEN.match(sql, position)):
        position = match.end()
        if match.lastgroup != "space" and match.group() != ";":
            end = position
    # What cannot be read is refused elsewhere, by tokenize.
    return sql[:end].strip() if position == len(sql) else sql.strip()


def single_statement(tokens: list[Token]) -> list[Token]:
    """The one SELECT, without a closing semicolon. Raises SqlError for anything else."""
    while tokens and tokens[-1].upper == ";":
        tokens = tokens[:-1]
    if not tokens:
        raise SqlError("is empty", hint="write one SELECT over the inputs")
    for token in tokens:
        if token.upper == ";":
            raise SqlError("has more than one statement", token.line, "write one SELECT; split the rest into jobs")
    if tokens[0].upper not in ("SELECT", "WITH"):
        raise SqlError(
            f"starts with {tokens[0].text[:40]!r}",
            tokens[0].line,
            "write one SELECT; tables and sinks are declared",
        )
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.upper, 0)
        if depth < 0:
            raise SqlError("has a ) without its (", token.line)
        if depth > MAX_NESTING:
            raise SqlError(f"is nested more than {MAX_NESTING} levels deep", token.line)
    if depth:
        raise SqlError("has a ( that is never closed", tokens[-1].line)
    return tokens


def tables_read(tokens: list[Token]) -> dict[str, int]:
    """The tables that the statement names in FROM, JOIN and TABLE, with their first line; CTEs are left out."""
    found: dict[str, int] = {}
    defined = _cte_names(tokens)
    subquery = [True]  # per open parenthesis: a FROM directly inside it is a clause, not EXTRACT(… FROM …)
    for index, token in enumerate(tokens):
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.upper == "(":
            subquery.append(after is not None and after.upper in ("SELECT", "WITH", "("))
        elif token.upper == ")":
            subquery.pop()
        elif after is None or not after.is_name or after.upper in ("LATERAL", "UNNEST", "TABLE", "VALUES"):
            continue
        elif token.upper in ("JOIN", "TABLE") or (
            token.upper == "FROM" and subquery[-1] and tokens[index - 1].upper != "DISTINCT"
        ):
            follows = tokens[index + 2].upper if index + 2 < len(tokens) else ""
            if after.text not in defined and follows != "(":
                found.setdefault(after.text, after.line)
    return found


def _cte_names(tokens: list[Token]) -> set[str]:
    """Names before `AS (` that a WITH or a comma introduces; a column list may stand between."""
    names = set()
    for index, token in enumerate(tokens[:-1]):
        if token.upper in ("WITH", ",") and tokens[index + 1].is_name:
            rest = [t.upper for t in tokens[index + 2 : index + 4]]
            if rest == ["AS", "("] or rest[:1] == ["("]:
                names.add(tokens[index + 1].text)
    return names
