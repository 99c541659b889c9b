import os

import pytest
from structlog.testing import capture_logs

from gateway.core.options import Secret


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o604, True), (0o644, True)])
def test_a_secret_that_everybody_can_read_is_read_with_a_warning(tmp_path, mode, warned):
    file = tmp_path / "secret"
    file.write_text("单雄信\n", encoding="utf-8")
    os.chmod(file, mode)  # noqa: PTH101  # the mode as it is given, whatever the umask
    with capture_logs() as logs:
        assert Secret(file=str(file)).read() == "单雄信"
    assert [(one["log_level"], one["file"]) for one in logs] == ([("warning", str(file))] if warned else [])
    assert "单雄信" not in str(logs)
