"""Operators that are not computed here, and why."""

STRINGS = "Chainrule has no arrays of strings"
FILES = "it reads files"

UNSUPPORTED = {
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"), STRINGS),
    "ImageDecoder": FILES,
}
