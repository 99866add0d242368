"""Tokenisers: round trips on any text, pairs learnt as a plain implementation learns them, files."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import data
from chainrule.data.bpe import PIECES
from chainrule.errors import ConfigurationError, DataError

TEXT = "The cat sat on the mat; the cat that sat there is the cat that ate.\n\n  Naïve façade, naïve cat! " * 2
PAIRS = data.BytePairTokenizer.train([TEXT], 300)


@settings(max_examples=40, deadline=None)
@given(st.text())
def test_bytes_and_byte_pairs_give_any_text_back(text: str) -> None:
    for tokenizer in (data.ByteTokenizer(), PAIRS):
        numbers = tokenizer.encode(text)
        assert tokenizer.decode(numbers) == text
        assert tokenizer.decode([0, *numbers, 0]) == text
    assert len(PAIRS.encode(text)) <= len(text.encode("utf-8"))


def plainly_learnt(text: str, count: int) -> list[bytes]:
    """Byte pairs as the paper writes them: all words counted anew for each merge."""
    words = [[bytes([byte]) for byte in piece.encode("utf-8")] for piece in PIECES.findall(text)]
    numbers = {bytes([byte]): byte + 1 for byte in range(256)}
    learnt: list[bytes] = []
    for number in range(257, 257 + count):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        best = min(pairs, key=lambda pair: (-pairs[pair], numbers[pair[0]], numbers[pair[1]]))
        if pairs[best] < 2:
            break
        learnt.append(b"".join(best))
        numbers.setdefault(learnt[-1], number)
        for word in words:
            place = 0
            while place < len(word) - 1:
                if (word[place], word[place + 1]) == best:
                    word[place : place + 2] = [learnt[-1]]
                place += 1
    return learnt


def test_pairs_are_learnt_as_the_plain_way_learns_them() -> None:
    tokenizer = data.BytePairTokenizer.train([TEXT], 290)
    assert tokenizer.pieces[257:] == plainly_learnt(TEXT, 33)
    assert len(tokenizer) == len(tokenizer.pieces) <= 290
    assert len(tokenizer.encode(TEXT)) < len(TEXT) / 1.8


def test_characters_and_words_keep_the_most_frequent() -> None:
    letters = data.CharacterTokenizer.fit([TEXT])
    assert letters.decode(letters.encode(TEXT)) == TEXT and len(letters) == len(set(TEXT)) + 2
    assert list(map(letters.decode, letters.encode_all([TEXT, "", TEXT[:3]]))) == [TEXT, "", TEXT[:3]]
    words = data.WordTokenizer.fit([TEXT], size=4)
    assert words.tokens == ("<pad>", "<unk>", "cat", "the")  # ten and eight times there, the next four
    rare = data.WordTokenizer.fit([TEXT], least=7)
    assert rare.decode(rare.encode("The mat")) == "the <unk>"


@pytest.mark.parametrize("kind", ["ByteTokenizer", "CharacterTokenizer", "WordTokenizer", "BytePairTokenizer"])
def test_saved_and_loaded_it_is_the_same(kind: str, tmp_path: Path) -> None:
    make = getattr(data, kind)
    tokenizer = (
        make.train([TEXT], 280) if hasattr(make, "train") else make.fit([TEXT]) if hasattr(make, "fit") else make()
    )
    tokenizer.save(tmp_path / "t.json")
    again = data.load_tokenizer(tmp_path / "t.json")
    assert type(again) is make and again.tokens == tokenizer.tokens
    assert again.encode(TEXT).tolist() == tokenizer.encode(TEXT).tolist()


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no token 999"):
        data.ByteTokenizer().decode([999])
    with pytest.raises(ConfigurationError, match="at least 257"):
        data.BytePairTokenizer.train([TEXT], 100)
    with pytest.raises(ConfigurationError, match="at least 3"):
        data.WordTokenizer.fit([TEXT], size=2)
    with pytest.raises(DataError, match="no file"):
        data.load_tokenizer(tmp_path / "no.json")
    (tmp_path / "bad.json").write_text('{"format": "x"}')
    with pytest.raises(DataError, match="no tokenizer of this version"):
        data.load_tokenizer(tmp_path / "bad.json")
