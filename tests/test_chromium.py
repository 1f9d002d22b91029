"""Without a browser its tests are skipped and say so; where they are required they fail."""

from pathlib import Path

import pytest
from support.chromium import REQUIRED, insist_on_browser


@pytest.mark.parametrize(
    ("required", "outcome", "said"),
    [
        ("", pytest.skip.Exception, "no browser here .*apt-get install chromium"),
        ("required", pytest.fail.Exception, "MONITOR_BROWSER_TESTS=required, and no browser here"),
    ],
)
def test_without_a_browser_a_test_is_skipped_unless_that_is_forbidden(
    required: str, outcome: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(REQUIRED, required)

    with pytest.raises(outcome, match=said):
        insist_on_browser()
