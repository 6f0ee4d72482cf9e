"""The pipeline of the dead letters' tests serves here, too."""

from __future__ import annotations

from ..dead_letters.conftest import shop

__all__ = ["shop"]
