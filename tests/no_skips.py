"""Where everything must run, a skipped test is a failed test.

Active with CI=true or PCP_REQUIRE_ALL=1: a machine that lacks something must not
look green. An expected failure (xfail) is no skip.
"""

from collections.abc import Generator
import os

import pytest


def everything_must_run() -> bool:
    """Return whether a missing prerequisite is a failure here."""
    return os.environ.get("CI") == "true" or os.environ.get("PCP_REQUIRE_ALL") == "1"


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail") or not everything_must_run():
        return
    reason = report.longrepr
    if isinstance(reason, tuple):
        reason = reason[2]
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} must run here, but: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Turn the skip of a test into a failure."""
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Turn the skip of a whole file into a failure."""
    report = yield
    _fail_if_skipped(report)
    return report
