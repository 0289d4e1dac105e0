# SPDX-License-Identifier: MIT
"""Read YAML files that people edit into typed models. An error names the line that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lab.core.errors import UsageError

T = TypeVar("T")
DEEPEST = 50
"""Levels of nesting that a document may have. Real ones have under a tenth of it; thousands would exhaust the stack."""

WANTED = {
    "missing": "it is missing",
    "extra_forbidden": "lab knows no such key",
    "string_type": "text is wanted",
    "string_pattern_mismatch": "text that matches {pattern} is wanted",
    "string_too_short": "text is wanted, and not none",
    "string_too_long": "text of at most {max_length} characters is wanted",
    "int_type": "a whole number is wanted",
    "int_parsing": "a whole number is wanted",
    "int_parsing_size": "a whole number is wanted, and a smaller one",
    "int_from_float": "a whole number is wanted",
    "float_type": "a number is wanted",
    "float_parsing": "a number is wanted",
    "finite_number": "a finite number is wanted",
    "bool_type": "true or false is wanted",
    "bool_parsing": "true or false is wanted",
    "list_type": "a list is wanted",
    "tuple_type": "a list is wanted",
    "dict_type": "a mapping is wanted",
    "model_type": "a mapping is wanted",
    "model_attributes_type": "a mapping is wanted",
    "none_required": "nothing is wanted",
    "literal_error": "{expected} is wanted",
    "greater_than": "more than {gt} is wanted",
    "greater_than_equal": "at least {ge} is wanted",
    "less_than_equal": "at most {le} is wanted",
    "multiple_of": "a multiple of {multiple_of} is wanted",
    "too_short": "at least {min_length} is wanted",
    "value_error": "{error}",
}
"""The message for each of pydantic's error types. A type that is not here keeps pydantic's own message."""


class Misfit(ValueError):
    """A validator's fault of one part of its value: `place` leads to that part, whose line is then named."""

    def __init__(self, message: str, *place: str | int) -> None:
        super().__init__(message)
        self.place = place


class Malformed(UsageError):
    """A file is not as it must be. `faults`: of each its line (from 1; 0: of the whole file) and what is wrong."""

    def __init__(self, path: Path, faults: Sequence[tuple[int, str]]) -> None:
        self.path, self.faults = path, list(faults)
        super().__init__("\n".join(f"{path}:{line}: {what}" if line else f"{path}: {what}" for line, what in faults))

    def __reduce__(self) -> tuple[type[Malformed], tuple[Path, list[tuple[int, str]]]]:
        return Malformed, (self.path, self.faults)


class Document(BaseModel):
    """Base of every model read from a file. Unknown keys are errors; values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read(path: Path, model: type[T]) -> T:
    """Read the YAML file `path` as `model`.

    Raises:
        Malformed: the file is missing, is not YAML, or does not fit the model; names file, line and what was expected.
    """
    return parse(path, _text(path), model)


def line_of(path: Path, *place: str | int) -> int:
    """The line (from 1) of a part of the YAML file `path`, or of the deepest part on the way there that it has."""
    return _line(_Loader(_text(path)).get_single_node(), place)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Malformed(path, [(0, str(error.strerror))]) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Malformed(path, [(line, "not text in UTF-8")]) from error


def parse(path: Path, text: str, model: type[T]) -> T:
    """Read `text`, the content of `path`, as `model`. Raises what `read` raises."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Malformed(path, [(line, f"not YAML: {error.problem}")]) from error
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise Malformed(path, [(line, f"not YAML: {error.reason}")]) from error
    try:
        return TypeAdapter(model).validate_python(data)
    except ValidationError as error:
        raise Malformed(path, _faults(root, error, model)) from error


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader. Faults that it accepts or crashes on become errors with a line number."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node. Too many levels are an error."""
        self.depth += 1
        if self.depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(problem=f"more than {DEEPEST} levels", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Compose a mapping. A duplicate key is an error: one of its two values would be lost."""
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        first_keys: dict[tuple[str, str], yaml.Node] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = first_keys.setdefault((key.tag, key.value), key)
                if first is not key:
                    problem = f"the key {key.value!r} stands in line {first.start_mark.line + 1} already"
                    raise yaml.composer.ComposerError(problem=problem, problem_mark=key.start_mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct a value. An impossible date, or a number without digits, is an error with its line."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"{_short(node.value)} looks like a value of the kind {kind}, and is none; quote it if it is text"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark) from error


def wanted(fault: Mapping[str, Any]) -> str:
    """The lab's message for one of pydantic's `errors()`: what is wrong, and which value was given."""
    template = WANTED.get(fault["type"], fault["msg"].replace("{", "{{").replace("}", "}}"))
    value_text = "" if fault["type"] in ("missing", "value_error") else f", got {_short(fault['input'])}"
    return f"{template.format(**fault.get('ctx', {}))}{value_text}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _faults(root: yaml.Node | None, error: ValidationError, model: Any) -> list[tuple[int, str]]:
    faults = []
    for fault in error.errors():
        place = (*fault["loc"], *getattr(fault.get("ctx", {}).get("error"), "place", ()))
        location = ".".join(str(part) for part in place) or "the document"
        keys = _keys(model, fault["loc"][:-1]) if fault["type"] == "extra_forbidden" else []
        hint = f"; valid keys: {', '.join(keys)}" if keys else ""
        faults.append((_line(root, place), f"{location}: {wanted(fault)}{hint}"))
    return faults


def _keys(model: Any, loc: Sequence[Any]) -> list[str]:
    """The valid keys of the mapping at `loc`. Free mapping keys and list indices in `loc` belong to no model."""
    models = list(_models(model))
    for part in loc:
        fields = [candidate.model_fields[part] for candidate in models if part in candidate.model_fields]
        models = [candidate for field in fields for candidate in _models(field.annotation)] if fields else models
    return [field.alias or name for candidate in models for name, field in candidate.model_fields.items()]


def _models(kind: Any) -> Iterator[type[Document]]:
    """The models in a type, also those inside a list, a mapping or a union."""
    if isinstance(kind, type) and issubclass(kind, Document):
        yield kind
    for inner in get_args(kind):
        yield from _models(inner)


def _line(node: yaml.Node | None, loc: Sequence[Any]) -> int:
    """The line (from 1) of the deepest node along `loc`. A missing key has the line of its parent."""
    line = node.start_mark.line + 1 if node else 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            # Merged keys (`<<`) come first in the list. The mapping's own keys override them.
            entry = next(((k, v) for k, v in reversed(node.value) if k.value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _no_missing_value(name: str) -> str:
    if name in ("nan", "null"):
        raise ValueError(f"{name!r} is no name: readers of results.csv take it for a missing value")
    return name


NAME = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=40), AfterValidator(_no_missing_value)]
"""A name of the lab's own: of a suite, a variant, a dialect, a wire."""


def _no_space_around(text: str) -> str:
    if text != text.strip():
        raise ValueError(f"no space is wanted around it, got {text!r}")
    return text


TEXT = Annotated[str, Field(min_length=1), AfterValidator(_no_space_around)]
"""Text that says something."""
