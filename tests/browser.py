"""A headless Chromium, driven by the DevTools protocol over two pipes: no driver, no package, no port."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WAIT = 60.0
"""Seconds after which a browser that does not answer is an error."""


def find_browser() -> str | None:
    """The path of a Chromium, if one is installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


_START = """
import os, sys
ends = [os.dup(int(end)) for end in sys.argv[1:3]]
for place, end in zip((3, 4), [os.dup2(end, 10 + place) for place, end in enumerate(ends)]):
    os.dup2(end, place)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts a program that reads commands from 3 and writes answers to 4."""


class Browser:
    """A page of a browser. Every request that it tries to make is listed in `requests`."""

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # Other processes of Chromium may still write there when the first one has ended.
        self._profile = tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True)
        words = [
            find_browser() or "", "--headless=new", "--remote-debugging-pipe", "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--mute-audio", "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={self._profile.name}", "--window-size=1280,900",
            *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank",
        ]  # fmt: skip
        pipes = (to_browser, from_browser)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, *map(str, pipes), *words],
            pass_fds=pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
        )
        os.close(to_browser)
        os.close(from_browser)
        self._left = b""
        self._number = 0
        self._session: str | None = None
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self) -> None:
        """End the browser."""
        os.close(self._out)
        self.process.terminate()
        self.process.wait(WAIT)
        os.close(self._in)
        self._profile.cleanup()

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol; its result."""
        number = self._post(method, **parameters)
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, address: str) -> None:
        """Open a page and wait until its script has run."""
        self.send("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:
        """The value of a script in the page; a promise is awaited."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until a condition holds in the page."""
        self._until(lambda: self.run(condition), condition)

    def _until(self, holds: Callable[[], Any], what: str) -> None:
        """Ask again and again until something holds; a page that hangs must not hang the tests."""
        end = time.monotonic() + WAIT
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"never: {what}; errors: {self.errors}")
            time.sleep(0.05)

    def key(self, key: str, *, modifiers: int = 0) -> None:
        """Press a key: a character, or a name such as "ArrowDown"."""
        text = key if len(key) == 1 else ""
        event = {"key": key, "text": text, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", **event)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def mouse(self, type: str, x: float, y: float, **more: Any) -> None:
        """A mouse event at a place of the window."""
        self.send("Input.dispatchMouseEvent", type=type, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        self.drag((x, y))

    def drag(self, *places: tuple[float, float]) -> None:
        """Press the mouse at the first place, move it over the others, and release it at the last one."""
        self.mouse("mousePressed", *places[0], button="left", buttons=1, clickCount=1)
        for place in places[1:]:
            self.mouse("mouseMoved", *place, button="left", buttons=1)
        self.mouse("mouseReleased", *places[-1], button="left", clickCount=1)

    def downloaded(self, name: str) -> str:
        """The text of a file that the page has downloaded; the file is removed."""
        path = self.downloads / name
        self._until(lambda: self.run("1") and path.exists(), f"{name} is downloaded")  # run reads events
        text = path.read_text(encoding="utf-8")
        path.unlink()
        return text

    def _post(self, method: str, **parameters: Any) -> int:
        """Send a command without waiting for the result; its number."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        return self._number

    def _read(self) -> dict[str, Any]:
        """The next message; requests and errors of the page are noted."""
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], WAIT)
            block = os.read(self._in, 2**20) if ready else b""
            assert block, "the browser does not answer"
            self._left += block
        line, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Page.javascriptDialogOpening":  # the page warns of corrections that are not saved
                self._post("Page.handleJavaScriptDialog", accept=True)
            case "Runtime.exceptionThrown":
                self.errors.append(str(parameters["exceptionDetails"].get("exception", parameters)))
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.errors.append(parameters["entry"]["text"])
        return message
