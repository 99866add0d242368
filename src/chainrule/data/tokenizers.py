"""Tokenisers from their files."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from ..errors import DataError
from .bpe import BytePairTokenizer
from .text import FORMAT, ByteTokenizer, CharacterTokenizer, Tokenizer, WordTokenizer


def load_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    """The tokenizer that `save` wrote; raises DataError where the file is another."""
    kinds: dict[str, type[Tokenizer]] = {
        each.kind: each for each in (ByteTokenizer, CharacterTokenizer, WordTokenizer, BytePairTokenizer)
    }
    try:
        state = json.loads(Path(path).read_text(encoding="utf-8"))
        if state["format"] != FORMAT:
            raise ValueError(f"its format is {state['format']!r}")
        return kinds[state["kind"]].from_state(state)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no tokenizer of this version: {error}") from error
