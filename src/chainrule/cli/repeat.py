"""The command that makes a run again, with every setting written out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from ..autocast import FLOAT32
from .record import Record
from .source import Source

Words = Iterator[str]


def command_of(record: Record) -> str:
    """`chainrule train digits --epochs 8 ...`: the same data, network and settings, so the same bits."""
    words = ["chainrule", "train", record.source.path or record.source.name]
    words += [*_source(record.source), *_network(record), *_settings(record)]
    return shlex.join(words)


def _option(name: str, value: Any, default: Any = None) -> Words:
    if value == default or value is None or (value == () and default is None):
        return
    yield from (f"--{name}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value))


def _source(source: Source) -> Words:
    table, images = source.table, source.images
    yield from _option("target", source.target, "")
    if source.kind != "digits":
        yield from _option("test-file", source.test_file, "")
        yield from () if source.test_file else _option("test", source.test)
    yield from _option("validation", source.validation)
    for name in ("numbers", "categories", "ignore", "missing"):
        yield from _option(name, tuple(_quoted(each) for each in getattr(table, name)))
    yield from _option("dates", tuple(_quoted(n if form is None else f"{n}={form}") for n, form in table.dates.items()))
    yield from _option("task", table.task)
    yield from _option("decimal", table.decimal, ".")
    yield from _option("thousands", table.thousands, "")
    yield from _option("separator", table.delimiter)
    yield from _option("encoding", table.encoding)
    yield from ("--drop-missing-labels",) if table.drop_missing_labels else ()
    yield from () if table.header is None else ("--header" if table.header else "--no-header",)
    yield from _option("image-size", images.size)
    yield from ("--gray",) if images.gray else ()


def _quoted(name: str) -> str:
    """A name that holds a comma or a quote stands in quotes, as a cell of CSV does."""
    return '"' + name.replace('"', '""') + '"' if any(sign in name for sign in ',"') else name


def _network(record: Record) -> Words:
    network = record.network
    yield from _option("network", network.name)
    yield from _option("hidden", network.hidden) if network.name != "linear" else ()
    yield from _option("dropout", network.dropout)
    yield from _option("shift", network.shift) if len(network.inputs) == 3 else ()


def _settings(record: Record) -> Words:
    settings = record.settings
    yield from _option("epochs", settings.epochs)
    yield from _option("mode", settings.mode)
    yield from _option("batch-size", settings.batch_size) if settings.mode in ("mini-batch", "online") else ()
    names = ("optimizer", "lr", "schedule", "weight_decay", "label_smoothing", "clip_norm", "patience", "seed")
    for name in names:
        yield from _option(name.replace("_", "-"), getattr(settings, name))
    yield from _option("checkpoint-every", settings.checkpoint_every or None)
    yield from _option("accumulate", settings.accumulate, 1)
    yield from _option("class-weight", settings.class_weight, "")
    yield from _option("precision", settings.precision, FLOAT32)
    yield from _option("memory-limit", settings.memory_limit, "")
