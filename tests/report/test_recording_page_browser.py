"""The page of a recording in a real browser: heard, corrected, saved; what it asks of the network."""

import io
import json
import re
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from browser import NAMES, Browser, find_browser

from diarize.formats import read_rttm, read_turns, write_turns
from diarize.formats.json_format import format_json, list_turns
from diarize.report.page_sources import PageSource, find_sources
from diarize.report.recording_data import Reference, describe_errors, describe_peaks, describe_result
from diarize.report.recording_page import format_recording_page
from diarize.report.results import Result
from diarize.report.server import PageServer
from diarize.segments import Segment, Turn

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_browser() is None,
        reason=f"no browser: none of {', '.join(NAMES)} is on the PATH; on Debian: apt-get install chromium",
    ),
]

HOUR = 3600
SHIFT, CTRL = 8, 2  # modifiers of the protocol
HOSTILE = "<img src=x onerror=window.bad=1></script><script>window.bad=1</script>\"'&amp;"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


def plan(n: int, seconds: float, n_speakers: int = 4, recording: str = "talk") -> list[Turn]:
    """Turns of changing speakers at equal distances; each third one overlaps the next by half a second."""
    step = seconds / n
    return [
        Turn(
            recording,
            Segment(round(k * step + 0.5, 3), round((k + 1) * step + (0.5 if k % 3 == 0 else 0), 3)),
            f"SPEAKER_{k % n_speakers:02d}",
        )
        for k in range(n)
    ]


def data_of(turns, seconds: float, confidence=None, **more) -> dict:
    sure = confidence or [None] * len(turns)
    data = describe_result(Result(Path("x.json"), "talk", list(turns), sure, {"duration": seconds}))
    peaks = np.random.default_rng(0).random(round(100 * seconds), np.float32)
    return {**data, "peaks": describe_peaks(peaks), **more}


def show(browser: Browser, folder: Path, data: dict) -> Path:
    """Write a page and open it."""
    path = folder / "page.html"
    path.write_text(format_recording_page(data), encoding="utf-8")
    browser.requests.clear()
    browser.errors.clear()
    browser.open(path.as_uri())
    return path


def place(browser: Browser, time: float, lane: int, *, up: float = 0.5) -> tuple[float, float]:
    """Where a time (seconds) of a lane is in the window."""
    x, y = browser.run(
        f"""(() => {{
            const {{ timeline, view }} = recordingPage;
            timeline.canvas.scrollIntoView({{ block: "center" }});
            const box = timeline.canvas.getBoundingClientRect();
            const y = timeline.top + ({lane} + {up}) * timeline.laneHeight;
            return [box.left + view.x({1000 * time}), box.top + y];
        }})()"""
    )
    return x, y


def rttm(browser: Browser) -> list[Turn]:
    """The turns of the page, by way of its button for RTTM."""
    browser.run("document.getElementById('download-rttm').click()")
    return read_turns(io.StringIO(browser.downloaded("talk.rttm")), "rttm")


def text(browser: Browser, selector: str) -> str:
    return browser.run(f"document.querySelector({json.dumps(selector)}).textContent")


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    """A folder with an hour of quiet noise, which a page can play."""
    folder = tmp_path_factory.mktemp("hour")
    noise = np.random.default_rng(0).integers(-3, 3, 8000 * 60, np.int16)
    with soundfile.SoundFile(folder / "talk.flac", "w", 8000, 1) as file:
        for _ in range(60):
            file.write(noise)
    return folder


def test_an_hour_is_heard_corrected_and_saved(browser, hour):
    turns = plan(720, HOUR)
    page = show(browser, hour, data_of(turns, HOUR, audio={"address": "talk.flac"}))
    assert text(browser, "#facts") == "1:00:00 · 4 speakers · 720 turns"
    browser.wait("recordingPage.player.audio.readyState >= 1")

    # A click on a turn selects and plays it, and the player stops at its end.
    browser.click(*place(browser, 12, 2))  # the third turn, 10.5 s to 15 s
    browser.wait("recordingPage.player.playing && recordingPage.player.time > 10600")
    assert browser.run("document.getElementById('turn-start').value") == "0:10.500"
    assert text(browser, "tr[aria-current] td:nth-child(4)") == "SPEAKER_02"
    browser.run("recordingPage.player.audio.playbackRate = 8")
    browser.wait("!recordingPage.player.playing")
    assert browser.run("recordingPage.player.time") == 15_000

    # Play goes on from there, and the view follows.
    browser.run("recordingPage.view.zoomTo(14000, 16000)")
    browser.key(" ")
    browser.wait("recordingPage.view.start > 16500")
    browser.key(" ")
    browser.wait("!recordingPage.player.playing")

    # Rename, merge, undo, redo.
    browser.run(
        "(() => { const field = document.querySelector('#speakers input'); field.value = 'Ann Lee';"
        "field.dispatchEvent(new Event('change')); })()"
    )
    assert text(browser, ".lane") == "Ann Lee"
    browser.run(
        "(() => { const field = document.querySelectorAll('#speakers input')[3]; field.value = ' Ann Lee ';"
        "field.dispatchEvent(new Event('change')); })()"
    )
    assert text(browser, "#message") == "SPEAKER_03 and Ann Lee are one speaker now. Undo separates them."
    assert browser.run("recordingPage.turns.speakers.length") == 3
    browser.run("document.activeElement.blur()")
    browser.key("z")
    assert browser.run("recordingPage.turns.speakers.length") == 4
    browser.key("Z", modifiers=SHIFT)
    assert browser.run("recordingPage.turns.speakers.length") == 3
    assert "corrected, not saved" in text(browser, "#facts")

    merged = {"SPEAKER_00": "Ann_Lee", "SPEAKER_03": "Ann_Lee"}
    expected = [Turn("talk", turn.segment, merged.get(turn.speaker, turn.speaker)) for turn in turns]
    saved = rttm(browser)
    assert {turn.speaker for turn in saved} == {"Ann_Lee", "SPEAKER_01", "SPEAKER_02"}
    # Turns of the two that overlapped are one.
    assert saved == sorted(_joined(expected))
    assert "not saved" not in text(browser, "#facts")
    allowed = {page.as_uri(), (hour / "talk.flac").as_uri()}
    assert {url for url in browser.requests if not url.startswith("blob:null/")} <= allowed
    assert browser.errors == []


def _joined(turns: list[Turn]) -> list[Turn]:
    joined: list[Turn] = []
    last: dict[str, int] = {}
    for turn in sorted(turns):
        at = last.get(turn.speaker)
        if at is not None and turn.segment.start < joined[at].segment.end:
            end = max(joined[at].segment.end, turn.segment.end)
            joined[at] = Turn("talk", Segment(joined[at].segment.start, end), turn.speaker)
        else:
            last[turn.speaker] = len(joined)
            joined.append(turn)
    return joined


def test_every_correction_by_mouse_and_by_key(browser, tmp_path):
    spans = [(1, 3, "A"), (4, 6, "B"), (7, 9, "A"), (8, 9.5, "C")]
    turns = [Turn("talk", Segment(start, end), who) for start, end, who in spans]
    show(browser, tmp_path, data_of(turns, 10))

    def now() -> list[tuple[float, float, str]]:
        return [
            (start / 1000, end / 1000, name)
            for start, end, name in browser.run(
                "recordingPage.turns.list.map((t) => [t.start, t.end, recordingPage.turns.name(t.speaker)])"
            )
        ]

    # By mouse: the end of a turn, and the turn to another lane.
    browser.drag(place(browser, 3, 0), place(browser, 3.2, 0), place(browser, 3.5, 0))
    (first, *others) = now()
    assert first == (1, pytest.approx(3.5, abs=0.03), "A")
    assert others == spans[1:]
    browser.drag(place(browser, 5, 1), place(browser, 5.1, 2), place(browser, 5, 2))
    assert now()[1] == (4, 6, "C")
    browser.key("z")
    browser.key("z")
    assert now() == spans

    # A chosen time becomes a turn.
    browser.drag(place(browser, 0.2, 1), place(browser, 0.4, 1), place(browser, 0.8, 1))
    browser.key("t")
    start, end, who = now()[0]
    assert (start, end, who) == (pytest.approx(0.2, abs=0.03), pytest.approx(0.8, abs=0.03), "A")
    browser.key("Delete")
    assert now() == spans

    # By keys: both ends, the player's position, cut, another and a new speaker, several turns.
    browser.run("recordingPage.turns.select([1]); document.activeElement.blur()")
    for key in "assdf":
        browser.key(key)
    assert now()[1] == (4.05, 6, "B")
    browser.run("recordingPage.player.seek(5000)")
    browser.key("o")
    assert now()[1] == (4.05, 5, "B")
    browser.key("z")
    browser.key("x")
    assert now()[1:3] == [(4.05, 5, "B"), (5, 6, "B")]
    browser.key("3")
    assert now()[2] == (5, 6, "C")
    browser.key("u")
    assert now()[2] == (5, 6, "SPEAKER_00")
    browser.key("ArrowDown")
    browser.key("ArrowDown", modifiers=SHIFT)
    browser.key("2")
    assert now()[3:] == [(7, 9.5, "B")], "two turns of one speaker that overlap are joined"
    browser.key("y", modifiers=CTRL)  # nothing to redo
    for _ in range(20):
        browser.key("z")
    assert now() == spans
    assert text(browser, "#facts").endswith("4 turns")

    # By fields.
    browser.run(
        "(() => { recordingPage.turns.select([0]); const field = document.getElementById('turn-end');"
        "field.value = '0:02.25'; field.dispatchEvent(new Event('change')); })()"
    )
    assert now()[0] == (1, 2.25, "A")
    browser.run(
        "(() => { const field = document.getElementById('turn-end');"
        "field.value = '0:00.5'; field.dispatchEvent(new Event('change')); })()"
    )
    assert text(browser, "#message").startswith("Give times such as 1:02.5")
    browser.run(
        "(() => { const field = document.getElementById('turn-speaker');"
        "field.value = 'new'; field.dispatchEvent(new Event('change')); })()"
    )
    assert now()[0] == (1, 2.25, "SPEAKER_00")
    assert [(turn.segment.start, turn.segment.end, turn.speaker) for turn in rttm(browser)] == now()
    assert browser.errors == []


def test_doubtful_turns_and_errors_are_visited_and_json_keeps_what_is_known(browser, tmp_path):
    turns = plan(6, 60)
    sure = [0.9, 0.3, 1.0, 0.5, None, 0.7]
    reference = [Turn("talk", turn.segment, turn.speaker) for turn in turns[:-1]]
    errors = describe_errors(Reference(reference), turns)
    show(browser, tmp_path, data_of(turns, 60, sure, errors=errors))
    figures = browser.run("[...document.querySelectorAll('#doubts .figure')].map((each) => each.textContent)")
    assert figures == ["30 %", "50 %", "70 %", "90 %", "100 %"]
    browser.key("n")
    browser.key("c")  # right
    browser.key("n")
    browser.key("1")  # somebody else
    assert text(browser, "#doubt-note").startswith("1 turn below 80 %")
    browser.run("document.getElementById('download-json').click()")
    document = json.loads(browser.downloaded("talk.json"))
    assert [turn.get("confidence") for turn in document["turns"]] == [0.9, None, 1.0, None, None, 0.7]
    assert document["turns"][3]["speaker"] == "SPEAKER_00"
    assert (document["format"], document["duration"]) == ("diarize", 60)

    assert text(browser, "#error-facts dd") == f"{100 * errors['der']:.1f} %"
    browser.key("e")
    assert browser.run("recordingPage.turns.range") == errors["regions"][0][:2]
    assert "before your corrections" in text(browser, "#error-note")
    assert browser.errors == []


def test_eight_hours_with_ten_thousand_turns_open(browser, tmp_path):
    turns = plan(10_000, 8 * HOUR, 12)
    path = show(browser, tmp_path, data_of(turns, 8 * HOUR, [0.5] * 10_000))
    assert path.stat().st_size < 2_000_000
    assert text(browser, "#facts") == "8:00:00 · 12 speakers · 10,000 turns"
    assert browser.run("document.querySelectorAll('#turn-table tbody tr').length") == 100
    browser.key("0")
    browser.key("ArrowUp")  # before the first there is none
    browser.run("recordingPage.goTo(recordingPage.turns.list[9876])")
    assert text(browser, "#page-range") == "9,801 to 9,900 of 10,000"
    assert browser.run("recordingPage.view.start < recordingPage.turns.list[9876].start")
    browser.run("document.getElementById('download-rttm').click()")
    assert browser.downloaded("talk.rttm").count("\n") == 10_000
    # Only what is in view is drawn: far fewer rectangles than turns.
    drawn = browser.run(
        """(() => {
            const { timeline, view } = recordingPage;
            let n = 0;
            const own = timeline.drawTurn;
            timeline.drawTurn = (...args) => { n++; own.apply(timeline, args); };
            view.zoomTo(0, 60000);
            timeline.draw();
            const near = n;
            n = 0;
            view.all();
            timeline.draw();
            timeline.drawTurn = own;
            return [near, n];
        })()"""
    )
    assert drawn[0] < 50
    assert browser.errors == []


@pytest.mark.parametrize("seconds", [0, 5])
def test_a_result_without_turns_opens_and_takes_a_first_turn(browser, tmp_path, seconds):
    show(browser, tmp_path, describe_result(Result(Path("x.json"), "talk", [], [], {"duration": seconds})))
    assert text(browser, "#page-range") == "no turns"
    for key in ("ArrowDown", "n", "e", "u", "x", "0", "+", "v", "c", "Delete", "z"):
        browser.key(key)
    browser.key("t")
    assert len(rttm(browser)) == (1 if seconds else 0)
    assert browser.errors == []


def test_names_with_html_stay_names(browser, tmp_path):
    turns = [Turn("talk", Segment(0, 1), HOSTILE), Turn("talk", Segment(1, 2), "__proto__")]
    document = {"evidence": {"reason": HOSTILE}, "model": HOSTILE}
    made = Result(Path("x.json"), HOSTILE, turns, [0.5, None], document)
    errors = describe_errors(Reference([Turn("talk", Segment(0, 2), HOSTILE)]), turns)
    path = show(browser, tmp_path, {**describe_result(made), "errors": errors})
    browser.key("n")
    assert text(browser, "h1") == HOSTILE
    assert text(browser, ".lane") == text(browser, "td:nth-child(4)") == HOSTILE
    assert browser.run("[...document.querySelectorAll('img, script[src], iframe')].length") == 0
    browser.run(
        f"""(() => {{ const field = document.querySelectorAll('#speakers input')[1];
        field.value = {json.dumps("<b>" + HOSTILE)}; field.dispatchEvent(new Event('change')); }})()"""
    )
    assert text(browser, ".lane:nth-child(2)") == "<b>" + HOSTILE
    assert browser.run("document.querySelector('b')") is None
    assert browser.run("window.bad") is None
    assert browser.requests == [path.as_uri()]
    assert browser.errors == []


def test_the_page_refuses_requests(browser, tmp_path):
    path = show(browser, tmp_path, data_of(plan(3, 30), 30))
    answer = browser.run("fetch('https://example.org/').then(() => 'sent', (error) => error.name)")
    assert answer == "TypeError"
    browser.run("document.body.append(Object.assign(new Image(), { src: 'https://example.org/a.png' }))")
    browser.wait("true")
    assert any("Content Security Policy" in error for error in browser.errors)
    assert [url for url in browser.requests if not url.startswith("https://example.org")] == [path.as_uri()]


def test_a_map_leads_to_its_windows_and_an_embedded_copy_plays(browser, tmp_path, demo_recording):
    turns = [Turn("meeting", t.segment, t.speaker) for t in read_rttm(demo_recording.with_suffix(".rttm"))]
    write_turns(turns, tmp_path / "meeting.rttm")
    source = PageSource(tmp_path / "meeting.rttm", "meeting", demo_recording)
    data = {**source.describe(source.read()), "audio": {"type": "audio/webm"}}
    data["points"] = [[0.1, 0.1, 1000, 1500], [0.9, 0.9, 7000, 8500]]
    path = tmp_path / "page.html"
    path.write_text(format_recording_page(data, embedded=source.compress()), encoding="utf-8")
    browser.requests.clear()
    browser.errors.clear()
    browser.open(path.as_uri())
    browser.wait("recordingPage.player.audio.readyState >= 1")
    assert browser.run("recordingPage.player.audio.duration") == pytest.approx(66.05, abs=0.1)
    x, y = browser.run(
        """(() => {
            const { map } = recordingPage;
            map.canvas.scrollIntoView({ block: "center" });
            const box = map.canvas.getBoundingClientRect();
            const [x, y] = map.place(map.points[1]);
            return [box.left + x, box.top + y];
        })()"""
    )
    browser.click(x, y)
    browser.wait("recordingPage.player.playing && recordingPage.player.time >= 7000")
    names = browser.run("recordingPage.turns.chosen().map((t) => recordingPage.turns.name(t.speaker))")
    assert names == ["rms"]
    browser.run("recordingPage.map.canvas.focus()")
    browser.key("ArrowUp")  # nothing is above the upper one
    assert browser.run("recordingPage.map.at") == data["points"][1]
    browser.key("ArrowDown")
    assert browser.run("recordingPage.map.at") == data["points"][0]
    browser.wait("recordingPage.player.time >= 1000 && recordingPage.player.time < 2000")
    names = browser.run("recordingPage.turns.chosen().map((t) => recordingPage.turns.name(t.speaker))")
    assert names == ["slt"]
    assert all(url == path.as_uri() or url.startswith("blob:") for url in browser.requests)
    assert browser.errors == []


def test_saving_to_the_server_writes_the_files(browser, tmp_path, demo_recording):
    turns = [Turn("meeting", t.segment, t.speaker) for t in read_rttm(demo_recording.with_suffix(".rttm"))]
    document = {"recording": "meeting", "turns": list_turns(turns), "model": "voices"}
    (tmp_path / "meeting.json").write_text(format_json(document))
    write_turns(turns, tmp_path / "meeting.rttm")
    with PageServer(find_sources([tmp_path], audio=demo_recording)) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        browser.requests.clear()
        browser.errors.clear()
        browser.open(f"{server.address}0/")
        browser.wait("recordingPage.player.audio.readyState >= 1")
        browser.run("recordingPage.player.seek(60000)")
        browser.wait("Math.abs(recordingPage.player.time - 60000) < 1")
        for name in ("Kal", "Kal 2"):  # the second time with the version of the first
            browser.run(
                f"""(() => {{ const field = document.querySelectorAll('#speakers input')[3];
                field.value = '{name}'; field.dispatchEvent(new Event('change')); }})()"""
            )
            browser.run("document.getElementById('download-rttm').click()")
            assert browser.downloaded("meeting.rttm")
            assert browser.run("recordingPage.turns.changed"), "a download is not the file"
            browser.key("s", modifiers=CTRL)
            browser.wait("!recordingPage.turns.changed")
            assert text(browser, "#message") == "Saved: meeting.json, meeting.rttm"
        saved = json.loads((tmp_path / "meeting.json").read_text())
        assert (saved["turns"][7]["speaker"], saved["model"]) == ("Kal 2", "voices")
        assert read_rttm(tmp_path / "meeting.rttm")[7].speaker == "Kal_2"
        (tmp_path / "meeting.json").write_text(format_json(document))
        browser.run("recordingPage.corrections.remove([0]); document.getElementById('save').click()")
        browser.wait("document.getElementById('message').textContent.startsWith('Not saved')")
        assert "has changed since this page was opened" in text(browser, "#message")
        assert all(re.match(rf"{server.address}|blob:", url) for url in browser.requests)
        server.shutdown()
        thread.join()


def test_what_is_selected_has_a_name_and_everything_can_be_reached(browser, tmp_path):
    show(browser, tmp_path, data_of(plan(6, 60), 60, [0.5] * 6))
    nameless = browser.run(
        """[...document.querySelectorAll("button, input, select, [role=img]")].filter((each) =>
            !(each.textContent.trim() || each.getAttribute("aria-label") || each.labels?.length)).length"""
    )
    assert nameless == 0
    assert browser.run("[...document.querySelectorAll('[tabindex]')].every((each) => each.tabIndex <= 0)")
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3')].map((each) => each.tagName)")
    assert levels[0] == "H1"
    assert set(levels[1:]) == {"H2"}
    browser.key("?", modifiers=SHIFT)
    assert browser.run("document.getElementById('keys').open")
    listed = browser.run("[...document.querySelectorAll('#key-table kbd')].length")
    assert listed == browser.run("recordingPage.keys.groups.reduce((sum, [, keys]) => sum + keys.length, 0)")
    browser.run("document.getElementById('keys-on').click(); document.getElementById('keys').close()")
    browser.key("u")
    browser.run("recordingPage.turns.select([0])")
    browser.key("u")
    assert not browser.run("recordingPage.turns.changed"), "the keys are off"
    browser.run("document.querySelector('#doubts button').focus(); document.activeElement.click()")
    assert browser.run("document.activeElement.closest('#doubts') !== null"), "the focus stays in the list"


def test_on_a_phone_nothing_is_wider_than_the_window(browser, tmp_path):
    browser.send(
        "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
    )
    browser.send("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        show(browser, tmp_path, data_of(plan(60, 600), 600, [0.5] * 60))
        assert browser.run("document.documentElement.scrollWidth") <= 360
        assert text(browser, ".lane") == "00", "what all names share is left out"
        start, span = browser.run("[recordingPage.view.start, recordingPage.view.span]")
        x, y = place(browser, start / 1000 + 100, 1)
        touch = "Input.dispatchTouchEvent"
        browser.send(touch, type="touchStart", touchPoints=[{"x": x, "y": y}])
        browser.send(touch, type="touchMove", touchPoints=[{"x": x - 60, "y": y}])
        browser.send(touch, type="touchEnd", touchPoints=[])
        assert browser.run("recordingPage.view.start") > start
        for type, fingers in (("touchStart", (150, 200)), ("touchMove", (120, 230))):
            points = [{"x": x, "y": y, "id": finger} for finger, x in enumerate(fingers)]
            browser.send(touch, type=type, touchPoints=points)
        browser.send(touch, type="touchEnd", touchPoints=[])
        assert browser.run("recordingPage.view.span") < span / 1.5
        assert browser.errors == []
    finally:
        browser.send("Emulation.clearDeviceMetricsOverride")
        browser.send("Emulation.setTouchEmulationEnabled", enabled=False)
