"""Text as numbers: tokenisers of characters, bytes and words; saved as JSON. `data.bpe` has one of pieces of words."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError, DataError
from ..files import write_text

PADDING, UNKNOWN = "<pad>", "<unk>"
WORDS = re.compile(r"\w+|[^\w\s]")
FORMAT = "chainrule tokenizer 1"


class Tokenizer:
    """Base of tokenisers. A token's number is its place in `tokens`; 0 is padding."""

    kind: ClassVar[str]

    def __init__(self, tokens: Sequence[Any]) -> None:
        self.tokens = tuple(tokens)
        self.places = {token: place for place, token in enumerate(self.tokens)}
        if len(self.places) != len(self.tokens):
            raise ConfigurationError("a tokenizer's tokens must differ")

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> NDArray[np.int64]:
        """The numbers of the tokens of a text, int64 (tokens,)."""
        raise NotImplementedError

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of tokens by their numbers; padding gives nothing."""
        raise NotImplementedError

    def encode_all(self, texts: Iterable[str]) -> list[NDArray[np.int64]]:
        """Many texts; `pad` and `Buckets` make batches of them."""
        return [self.encode(text) for text in texts]

    def _checked(self, numbers: Iterable[int]) -> list[int]:
        found = [int(number) for number in numbers]
        wrong = [number for number in found if not 0 <= number < len(self)]
        if wrong:
            raise DataError(f"there is no token {wrong[0]}: this tokenizer has the numbers 0 to {len(self) - 1}")
        return found

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON, for `load_tokenizer`."""
        state = {"format": FORMAT, "kind": self.kind, **self.state()}
        write_text(Path(path), json.dumps(state, ensure_ascii=False))

    def state(self) -> dict[str, Any]:
        """What it is, as JSON."""
        return {"tokens": list(self.tokens)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state`."""
        return cls(state["tokens"])


class ByteTokenizer(Tokenizer):
    """The bytes of the text in UTF-8: any text, 257 tokens, nothing to fit.

    >>> ByteTokenizer().encode("né").tolist(), ByteTokenizer().decode([111, 196, 170])
    ([111, 196, 170], 'né')
    """

    kind = "bytes"

    def __init__(self) -> None:
        super().__init__((PADDING, *range(256)))

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) + 1

    def decode(self, numbers: Iterable[int]) -> str:
        return bytes(number - 1 for number in self._checked(numbers) if number).decode("utf-8", errors="replace")

    def state(self) -> dict[str, Any]:
        return {"tokens": []}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls()


class _Fitted(Tokenizer):
    """Tokens found in texts; others are `<unk>`."""

    separator = ""

    @classmethod
    def fit(cls, texts: Iterable[str], size: int | None = None, least: int = 1) -> Self:
        """The tokens of these texts: the `size` most frequent ones, each at least `least` times there."""
        counts = Counter(token for text in texts for token in cls.split(text))
        often = sorted(((-count, token) for token, count in counts.items() if count >= least))
        room = None if size is None else size - 2
        if room is not None and room < 1:
            raise ConfigurationError(f"size counts {PADDING} and {UNKNOWN} too: expected at least 3, not {size}")
        return cls((PADDING, UNKNOWN, *sorted(token for _, token in often[:room])))

    @staticmethod
    def split(text: str) -> Iterable[str]:
        """The tokens of a text."""
        raise NotImplementedError

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.array([self.places.get(token, 1) for token in self.split(text)], np.int64)

    def decode(self, numbers: Iterable[int]) -> str:
        return self.separator.join(self.tokens[number] for number in self._checked(numbers) if number)


class CharacterTokenizer(_Fitted):
    """Each character of the texts it was fitted to is a token.

    >>> letters = CharacterTokenizer.fit(["abba"])
    >>> letters.encode("abc").tolist(), letters.decode([2, 3, 1])
    ([2, 3, 1], 'ab<unk>')
    """

    kind = "characters"

    @staticmethod
    def split(text: str) -> Iterable[str]:
        return text


class WordTokenizer(_Fitted):
    """Words and signs, without case; decoding puts blanks between them.

    >>> words = WordTokenizer.fit(["The cat sat.", "The dog sat."], size=6)
    >>> words.tokens, words.decode(words.encode("The bird sat."))
    (('<pad>', '<unk>', '.', 'cat', 'sat', 'the'), 'the <unk> sat .')
    """

    kind = "words"
    separator = " "

    @staticmethod
    def split(text: str) -> Iterable[str]:
        return WORDS.findall(text.casefold())
