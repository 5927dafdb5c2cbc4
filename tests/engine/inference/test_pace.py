from __future__ import annotations

from quire_engine.inference.pace import Pace


class TestPace:
    def test_tries_when_nothing_is_known(self) -> None:
        assert Pace().fits(10**9, 0.001)

    def test_expects_what_was_measured(self) -> None:
        pace = Pace()
        pace.record(100, 1.0)
        assert pace.fits(100, 1.0)
        assert not pace.fits(102, 1.0)

    def test_follows_a_machine_that_gets_slower(self) -> None:
        pace = Pace()
        pace.record(100, 1.0)
        for _ in range(20):
            pace.record(100, 4.0)
        assert not pace.fits(100, 3.9)
        assert pace.fits(100, 4.1)

    def test_tries_again_after_refusals(self) -> None:
        pace = Pace()
        pace.record(100, 2.0)
        assert [pace.fits(100, 1.0) for _ in range(20)].index(True) == 14

    def test_learns_nothing_from_nothing(self) -> None:
        pace = Pace()
        pace.record(0, 5.0)
        assert pace.fits(10**9, 0.001)
