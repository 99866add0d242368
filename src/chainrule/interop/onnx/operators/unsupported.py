"""Operators that are not computed here, and why."""

QUANTISED = "quantised numbers are for inference on special hardware; load the network in float"
STRINGS = "Chainrule has no arrays of strings"
SEQUENCES = "Chainrule has no sequences of arrays as values"
FILES = "it reads files"

UNSUPPORTED = {
    **dict.fromkeys(
        (
            *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearMatMul", "QLinearConv"),
            *("ConvInteger", "MatMulInteger"),
        ),
        QUANTISED,
    ),
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"), STRINGS),
    **dict.fromkeys(
        (
            *("SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength"),
            *("SequenceMap", "SplitToSequence", "ConcatFromSequence", "Optional", "OptionalGetElement"),
            "OptionalHasElement",
        ),
        SEQUENCES,
    ),
    "ImageDecoder": FILES,
}
