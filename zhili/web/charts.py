"""Charts that can be read without seeing them: one sentence, the table, its source and day; the picture is extra (U-62)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.utils import timezone

from zhili.common.clock import now

Kind = Literal["bar", "stacked", "columns", "line", "share"]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart. labels: one per point; series: (name, values) with as many values as labels.

    kind columns: upright bars side by side on one scale; share: values are percentages 0–100. values are plain numbers,
    already in the unit that is shown.
    """

    key: str
    title: str
    sentence: str
    kind: Kind
    label_title: str
    labels: Sequence[str]
    series: Sequence[tuple[str, Sequence[float]]]
    unit: str
    source: str
    at: datetime

    @property
    def data(self) -> dict[str, Any]:
        """What charts.js draws, as JSON."""
        return {
            "kind": self.kind,
            "title": self.title,
            "labels": list(self.labels),
            "unit": self.unit,
            "series": [{"name": name, "values": list(values)} for name, values in self.series],
        }

    @property
    def data_id(self) -> str:
        return f"chart-{self.key}"

    @property
    def rows(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The table: label, then (series, text) for each."""
        unit = "%" if self.kind == "share" else ""
        return [
            (label, [(name, f"{_text(values[n])}{unit}") for name, values in self.series])
            for n, label in enumerate(self.labels)
        ]


def _text(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) and not value.is_integer() else f"{int(value)}"


def moment() -> datetime:
    """The "as of" of a chart: now, on the village's clock."""
    return timezone.localtime(now())
