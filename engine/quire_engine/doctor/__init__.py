"""Examines an installation and mends the index: each part that Quire needs, whether it works, what to do."""

from __future__ import annotations

from quire_engine.doctor.examination import diagnose, diagnose_index
from quire_engine.doctor.findings import Finding, ProgressReport, Remedy, Repair, guarded
from quire_engine.doctor.repairs import repair

__all__ = ["Finding", "ProgressReport", "Remedy", "Repair", "diagnose", "diagnose_index", "guarded", "repair"]
