"""Columns of Parquet and Arrow tables: nested paths, lists, names of classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

LIST_VALUES = 16  # of a list that are read; a label is a list of one


def errors() -> tuple[type[BaseException], ...]:
    """Returns what Arrow and Polars raise on damaged data; a panic is no Exception for Python."""
    import polars as pl
    import pyarrow as pa

    polars = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
    return (pa.ArrowException, *polars, OSError, ValueError)


def paths_in(schema: Any) -> list[str]:
    """Names of the columns, and dotted paths of the fields of structs."""
    return [path for field in schema for path, _ in _fields(field, "")]


def column_of(schema: Any, path: str) -> str | None:
    """Returns what must be read for a dotted path: the column, or a field of a struct.

    Args:
        schema: `pyarrow.Schema`.
        path: name of a column, or a dotted path that may go on inside a list.

    Returns:
        None where there is no such column.
    """
    if path in schema.names:
        return None if path in repeated(schema) else path
    known = paths_in(schema)
    while path:
        if path in known:
            return path
        path = path.rpartition(".")[0]
    return None


def _fields(field: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa

    yield f"{prefix}{field.name}", field.type
    if pa.types.is_struct(field.type):
        for inner in field.type:
            yield from _fields(inner, f"{prefix}{field.name}.")


def repeated(schema: Any) -> dict[str, list[str]]:
    """Names that stand several times, each with no name to use instead."""
    return {name: [] for name in schema.names if schema.names.count(name) > 1}


def is_readable(schema: Any, path: str) -> bool:
    """Tests that a column holds single values, structs of these, or lists whose items are these.

    A list in a struct or list may hold any number of values, and cannot be cut to LIST_VALUES.
    """
    if path in repeated(schema):
        return False
    kinds = {name: kind for field in schema for name, kind in _fields(field, "")}
    kind = schema.field(path).type if path in schema.names else kinds[path]
    return _is_plain(kind.value_type if path in schema.names and _is_list(kind) else kind)


def list_columns(schema: Any, columns: list[str]) -> set[str]:
    """Returns those of `columns` that are lists."""
    return {name for name in columns if name in schema.names and _is_list(schema.field(name).type)}


def cut_lists(batch: Any) -> Any:
    """Cuts the lists in a `pyarrow.RecordBatch` to LIST_VALUES values each; drops its metadata."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = [
        pc.list_slice(column, 0, LIST_VALUES, return_fixed_size_list=False)
        if _is_list(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def longest(column: Any) -> int:
    """Bytes that one value of an array may take as an object, where it shares them with others."""
    import polars as pl
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return longest(column.dictionary) if len(column.dictionary) else 1
    if _is_list(kind):
        return LIST_VALUES * longest(column.values)
    if pa.types.is_struct(kind):
        return max((longest(column.field(place)) for place in range(kind.num_fields)), default=1)
    series = pl.Series(pl.from_arrow(column))
    if series.dtype == pl.String:
        return int(series.str.len_bytes().max() or 1)  # type: ignore[arg-type]
    if series.dtype == pl.Binary:
        return int(series.bin.size().max() or 1)  # type: ignore[arg-type]
    return 1


def class_names(schema: Any) -> dict[str, list[str]]:
    """Reads the names of classes that Hugging Face datasets writes into the schema's metadata.

    Returns:
        Column or dotted path of a ClassLabel, or of a list of these -> names by number.
    """
    content = (schema.metadata or {}).get(b"huggingface")
    try:
        features = json.loads(content)["info"]["features"] if content else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return dict(_class_names(features, "")) if isinstance(features, dict) else {}


def _class_names(features: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    for name, feature in features.items():
        if isinstance(feature, list) and len(feature) == 1:
            feature = feature[0]  # noqa: PLW2901
        if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
            feature = feature["feature"]  # noqa: PLW2901
        if not isinstance(feature, dict):
            continue
        names = feature.get("names")
        if feature.get("_type") == "ClassLabel" and isinstance(names, list):
            yield f"{prefix}{name}", [str(label) for label in names]
        elif "_type" not in feature:
            yield from _class_names(feature, f"{prefix}{name}.")


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return all(_is_plain(field.type) for field in kind)
    return not pa.types.is_nested(kind) and not pa.types.is_run_end_encoded(kind)
