"""Says in words what is different between two fingerprints: what `treadle plan` prints."""

from __future__ import annotations

from collections.abc import Mapping


def explain(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Sentences on what changed between two sets of parts, in the order in which a person asks: the step itself, then
    its helpers and values, then the distributions. Empty when nothing did.

        `tidy` in prep.py changed
        helper `clean` in text.py was added
        polars went from 2.0.1 to 2.1.0
    """
    changed = [name for name in after if name in before and before[name] != after[name]]
    added = [name for name in after if name not in before]
    removed = [name for name in before if name not in after]
    sentences = [(_rank(name), f"{_called(name)} changed") for name in changed]
    for name, old, new in _moved(removed, added):
        removed.remove(old)
        added.remove(new)
        sentences.append((_rank(new), f"{name} went from {old.rpartition(' ')[2]} to {new.rpartition(' ')[2]}"))
    sentences += [(_rank(name), f"{_called(name)} was added") for name in added]
    sentences += [(_rank(name), f"{_called(name)} was removed") for name in removed]
    return [sentence for _, sentence in sorted(sentences)]


_KINDS = ("step", "default of", "closure cell", "decorator", "helper", "class", "constant", "module")


def _rank(part: str) -> int:
    return next((rank for rank, kind in enumerate(_KINDS) if part.startswith(kind + " ")), len(_KINDS))


def _moved(removed: list[str], added: list[str]) -> list[tuple[str, str, str]]:
    """Distributions, and Python itself, that are there in two versions."""
    old = {name: each for each in removed if (name := _versioned(each))}
    return [(name, old[name], each) for each in added if (name := _versioned(each)) and name in old]


def _versioned(part: str) -> str:
    if part.startswith("distribution "):
        return part.removeprefix("distribution ").rpartition(" ")[0]
    return "Python" if part.startswith("python ") else ""


def _called(part: str) -> str:
    """A part's name as it stands in a sentence."""
    kind, _, rest = part.partition(" ")
    if kind == "distribution":
        return rest
    if kind in ("step", "helper", "class", "constant", "decorator", "unresolved") and rest.endswith(")"):
        name, _, place = rest[:-1].rpartition(" (")
        shown = f"`{name}` in {place}"
        return shown if kind == "step" else f"{kind} {shown}"
    for opening in ("default of", "closure cell", "file", "environment variable"):
        if part.startswith(opening + " "):
            name, *more = part.removeprefix(opening + " ").split(" ", 1)
            return f"{opening} `{name}`" + (f" {more[0]}" if more else "")
    return part
