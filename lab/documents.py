"""YAML files that people edit: read them into typed models, and point at the line where one is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lab.errors import UsageError

T = TypeVar("T")


class Document(BaseModel):
    """Base of every model read from a file: unknown keys are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(path: Path, model: type[T]) -> T:
    """Read the YAML file `path` as `model`.

    Raises:
        UsageError: the file is missing, is not YAML, or does not fit the model; names file, line and what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: not text in UTF-8") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{path}:{line}: not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise UsageError(f"{path}:{line}: not YAML: {error.reason}") from error
    try:
        return TypeAdapter(model).validate_python(data)
    except ValidationError as error:
        raise UsageError("\n".join(_complaints(path, root, error))) from error


def _complaints(path: Path, root: yaml.Node | None, error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"]) or "the document"
        given = "" if fault["type"] == "missing" else f", got {fault['input']!r}"
        lines.append(f"{path}:{_line(root, fault['loc'])}: {where}: {fault['msg']}{given}")
    return lines


def _line(node: yaml.Node | None, loc: Sequence[Any]) -> int:
    """The line (from 1) of the deepest node on the way along `loc`: for a missing key, that of its parent."""
    line = node.start_mark.line + 1 if node else 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            entry = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
