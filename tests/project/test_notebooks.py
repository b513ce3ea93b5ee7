"""The notebooks of egs/notebooks: their code, cell after cell, in one namespace, as Jupyter runs it."""

import contextlib
import io
import json
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from command_line import call

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((REPOSITORY / "egs" / "notebooks").glob("*.ipynb"))
COMMAND = re.compile(r"^diarize (.+)$", re.MULTILINE)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_commands_and_its_code_run(notebook, tmp_path, monkeypatch):
    (tmp_path / "egs").symlink_to(REPOSITORY / "egs")
    monkeypatch.chdir(tmp_path)
    content = json.loads(notebook.read_text(encoding="utf-8"))
    printed, names = io.StringIO(), {"__name__": "__main__"}
    mpl.use("Agg")
    for cell in content["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for command in COMMAND.findall(text):
                assert call(*command.split()).status == 0
            continue
        assert cell["outputs"] == [], "outputs are not kept"
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(notebook), "exec"), names)
    out = printed.getvalue()
    assert "rows of 192 dimensions; columns: recording, start, end, speaker" in out
    rand = float(re.search(r"adjusted Rand index ([\d.]+)", out)[1])
    assert rand > 0.5, "the synthetic voices of the demo are easy to distinguish"
    assert re.search(r"\d+ of \d+ rows are doubtful", out)
