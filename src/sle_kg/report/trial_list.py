"""The trials of the graph, one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sle_kg.namespaces import RDF, RDFS, SLE
from sle_kg.report.text import harmless

if TYPE_CHECKING:
    import pyoxigraph as ox

_STATUS_WIDTH, _PHASE_WIDTH, _TARGET_WIDTH, _CRITERIA_WIDTH = 34, 15, 14, 12

_SHOWN = {
    "showsInclusionCriteria": "inclusion criteria",
    "showsExclusionCriteria": "exclusion criteria",
    "showsOutcomes": "outcome measures",
}


def render_trials(everything: bool = False) -> bytes:
    """A line for each modelled trial: NCT number, status and date, phase, target, criteria, what the copy lacks, label.

    With `everything`, the registered trials that are not modelled follow. Sorted by NCT number; UTF-8.
    """
    from sle_kg.graph import build_store

    listing = _Listing(build_store())
    lines = [listing.modelled(trial) for trial in listing.trials(modelled=True)]
    if everything:
        lines += [listing.registered(trial) for trial in listing.trials(modelled=False)]
    return ("\n".join(lines) + "\n").encode()


class _Listing:
    """Reads what the lines need from the graph's default graph."""

    def __init__(self, store: ox.Store) -> None:
        self._store = store

    def trials(self, modelled: bool) -> list[ox.NamedNode]:
        """The modelled trials, or the registered ones that are not modelled."""
        import pyoxigraph as ox

        found = {
            quad.subject
            for quad in self._store.quads_for_pattern(None, ox.NamedNode(RDF + "type"), ox.NamedNode(SLE + "Trial"))
            if isinstance(quad.subject, ox.NamedNode)
        }
        return sorted((trial for trial in found if self._is_modelled(trial) == modelled), key=lambda trial: trial.value)

    def modelled(self, trial: ox.NamedNode) -> str:
        """A modelled trial's line; its criteria are the rows of its inventory that decide about eligibility."""
        lacks = [f"no {words}" for name, words in _SHOWN.items() if self._texts(trial, SLE + name) == ["false"]]
        criteria = f"{len(self._values(trial, SLE + 'hasCriterion'))} criteria"
        copy = f"the copy shows {', '.join(lacks)}" if lacks else "the copy is complete"
        return self._line(trial, "carTarget", criteria, f"{self._label(trial)} ({copy})")

    def registered(self, trial: ox.NamedNode) -> str:
        """A line of the registry snapshot."""
        return self._line(trial, "targetCategory", "not modelled", self._label(trial))

    def _line(self, trial: ox.NamedNode, target: str, criteria: str, rest: str) -> str:
        status = f"{self._named(trial, 'recruitmentStatus')} {'/'.join(self._dates(trial))}"
        cells = (
            self._texts(trial, SLE + "registryId")[0],
            status.ljust(_STATUS_WIDTH),
            (self._named(trial, "phase") or "phase not given").ljust(_PHASE_WIDTH),
            (self._named(trial, target, "+") or "target not given").ljust(_TARGET_WIDTH),
            criteria.ljust(_CRITERIA_WIDTH),
            rest,
        )
        return harmless("  ".join(cells))

    def _dates(self, trial: ox.NamedNode) -> list[str]:
        return self._texts(trial, SLE + "recruitmentAsOf") or self._texts(trial, SLE + "asOf")

    def _is_modelled(self, trial: ox.NamedNode) -> bool:
        return "true" in self._texts(trial, SLE + "modelled")

    def _values(self, node: ox.NamedNode, predicate: str) -> list[ox.NamedNode | ox.Literal]:
        """The objects of a property, in no order."""
        import pyoxigraph as ox

        quads = self._store.quads_for_pattern(node, ox.NamedNode(predicate), None, ox.DefaultGraph())
        return [quad.object for quad in quads if isinstance(quad.object, ox.NamedNode | ox.Literal)]

    def _texts(self, node: ox.NamedNode, predicate: str) -> list[str]:
        """The literals of a property, sorted."""
        import pyoxigraph as ox

        return sorted(value.value for value in self._values(node, predicate) if isinstance(value, ox.Literal))

    def _label(self, node: ox.NamedNode) -> str:
        """The label of a term or trial; the local name where it has none."""
        labels = self._texts(node, RDFS + "label")
        return labels[0] if labels else node.value.rpartition("#")[2]

    def _named(self, trial: ox.NamedNode, name: str, joiner: str = "/") -> str:
        """The values of a property by label, sorted."""
        import pyoxigraph as ox

        values = self._values(trial, SLE + name)
        labels = [self._label(value) if isinstance(value, ox.NamedNode) else value.value for value in values]
        return joiner.join(sorted(labels))
