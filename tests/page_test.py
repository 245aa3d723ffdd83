"""The page at /: real clicks and keys in a headless Chromium.

Usage: page_test.py RSD [unittest's arguments]

The same flows run against a stand-in server (tests/support/page_server.py), which can also be made
to refuse, and against `rsd serve`: on a tiny random model and, where it is there, the default one.
Needs chromium and chromedriver (Debian: chromium, chromium-driver) and the Python package selenium;
without them these tests are skipped. Speaks to 127.0.0.1 only. What the page says of answers that no
small server gives at will is tested in node, where that is installed.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait
except ImportError:
    webdriver = None

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support.page_server import PageServer, decode  # noqa: E402

RSD = ""
TINY_MODEL = ROOT / "tests" / "models" / "tiny-bpe.gguf"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
PATIENCE = 60  # seconds until a condition that should come true is given up

REQUEST = {
    "id": "birds",
    "query": "which birds can not fly",
    "candidates": [
        {"id": f"b{i}", "text": text}
        for i, text in enumerate(
            ["swifts sleep in the air", "penguins can not fly", "which hat to wear",
             "kiwis are birds that can not fly", "birds sing at dawn", "owls hunt at night"]
        )
    ],
}  # fmt: skip


def missing():
    needed = {"selenium": webdriver, "chromium": CHROMIUM, "chromedriver": DRIVER}
    absent = [name for name, there in needed.items() if not there]
    return f"not installed: {', '.join(absent)}" if absent else ""


def default_model_is_there():
    cache = os.environ.get("XDG_CACHE_HOME", "")
    folder = pathlib.Path(cache) if cache.startswith("/") else pathlib.Path.home() / ".cache"
    return (folder / "rsd" / "models" / "smollm2-135m-instruct-q4_1.gguf").exists()


class RsdServer:
    """`rsd serve` on a free port, ready."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [RSD, "serve", "--host", "127.0.0.1", "--port", str(port), *map(str, self.options)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_ready(self):
        for _ in range(10 * PATIENCE):
            if self.process.poll() is not None:
                raise RuntimeError(f"rsd serve ended with {self.process.returncode}")
            try:
                urllib.request.urlopen(f"{self.url}/ready", timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError("rsd serve did not become ready")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __exit__(self, *_):
        self.stop()


def open_browser():
    options = Options()
    options.binary_location = CHROMIUM
    options.add_argument("--headless=new")
    options.add_argument("--window-size=1280,900")
    options.add_argument("--disable-dev-shm-usage")
    if os.geteuid() == 0:  # Chromium's sandbox refuses root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(DRIVER))


class PageCase(unittest.TestCase):
    """A browser for the class, a fresh page for each test; no message may reach its console."""

    @classmethod
    def setUpClass(cls):
        if missing():
            raise unittest.SkipTest(missing())
        cls.server = cls.start_server().__enter__()
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.browser = open_browser()
        cls.addClassCleanup(cls.browser.quit)

    def setUp(self):
        self.expected_messages = []
        self.emulate()
        self.open()

    def tearDown(self):
        texts = [entry["message"] for entry in self.browser.get_log("browser")]
        surprises = [t for t in texts if not any(e in t for e in self.expected_messages)]
        self.assertEqual(surprises, [])

    def open(self):
        self.browser.get(self.server.url + "/")
        self.wait(lambda: self.text("server") not in ("", "the model is loading"))

    def emulate(self, width=1280, height=900, mobile=False, **media):
        """media: color_scheme='dark', reduced_motion='reduce'."""
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
        )
        features = [
            {"name": "prefers-" + name.replace("_", "-"), "value": value}
            for name, value in media.items()
        ]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    # What a person sees and does.

    def find(self, css):
        return self.browser.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def text(self, identifier):
        return self.find(f"#{identifier}").text

    def wait(self, condition):
        return WebDriverWait(self.browser, PATIENCE, 0.05).until(lambda _: condition())

    def script(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def press(self, *keys):
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self):
        return self.browser.switch_to.active_element

    def fill(self, field, value):
        box = self.find(f"#{field}")
        box.clear()
        box.send_keys(value)

    def paste(self, field, value):
        """As pasting does: the whole text at once, and one input event."""
        self.script(
            "const box = document.getElementById(arguments[0]); box.value = arguments[1];"
            "box.dispatchEvent(new Event('input', {bubbles: true}));", field, value,
        )  # fmt: skip

    def choose_example(self, number):
        self.all("#examples button")[number].click()

    def rank(self, decoder="rsd", budget=None):
        Select(self.find("#decoder")).select_by_value(decoder)
        if budget is not None:
            self.fill("budget", str(budget))
        self.find("#run").click()
        self.wait_for_answer()

    def wait_for_answer(self):
        self.wait(lambda: self.text("status").startswith("Ranked") or not self.text("error") == "")
        self.assertEqual(self.text("error"), "")

    def to_step(self, step):
        self.script(
            "const s = document.getElementById('step'); s.value = arguments[0];"
            "s.dispatchEvent(new Event('input', {bubbles: true}));", step,
        )  # fmt: skip

    def step(self):
        return int(self.find("#step").get_property("value"))

    def last_step(self):
        return int(self.find("#step").get_property("max"))

    def order_of_column(self, column):
        """Items (from 1) from the top down, as drawn."""
        chips = self.script(
            "return [...document.querySelectorAll('.column')][arguments[0]]"
            "  .querySelectorAll('.chip').values()"
            "  .map(c => [c.getCTM().f, Number(c.dataset.item) + 1]).toArray()", column,
        )  # fmt: skip
        return [item for _, item in sorted(chips)]

    def answer_items(self):
        return [int(li.get_attribute("data-item")) + 1 for li in self.all("#answer li")]

    def assert_fits_width(self):
        wide, room = self.script(
            "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
        )
        self.assertLessEqual(wide, room)


class Flows:
    """What holds against any server."""

    def test_an_example_is_ranked_and_its_rounds_are_walked_through(self):
        self.choose_example(3)
        self.assertIn("Totoro", self.find("#asked").get_property("value"))
        self.rank(budget=3)
        self.find("#to-first").click()
        self.assertEqual(self.order_of_column(0), list(range(1, 11)))
        self.assertEqual(self.text("count-encodings"), "0 / 3")
        known = [0]
        for step in range(1, self.last_step()):
            self.find("#to-forward").click()
            self.assertEqual(self.step(), step)
            self.assertEqual(self.text("count-encodings"), f"{step} / 3")
            self.assertTrue(self.text("caption").startswith(f"Round {step}:"))
            known.append(int(self.text("count-known").split(" / ")[0]))
        self.assertEqual(known, sorted(set(known)))  # Theorem 1: it grows in every round
        self.find("#to-last").click()
        self.assertEqual(self.order_of_column(self.last_step()), self.answer_items())
        self.assertEqual(sorted(self.answer_items()), list(range(1, 11)))
        verified = len(self.all("#answer li.verified"))
        self.assertEqual(self.text("count-known"), f"{verified} / 10")

    def test_the_heat_map_shows_the_rows_that_were_encoded(self):
        self.choose_example(3)
        self.rank(budget=2)
        self.to_step(1)  # the prompt alone
        self.assertEqual(len(self.all("#heat tbody tr.unseen")), 9)
        self.to_step(2)
        outlined = self.all("#heat td.proposal")
        self.assertEqual(len(outlined), 10)
        accepted = len(self.all("#heat tbody tr.accepted"))
        self.assertIn(accepted, range(11))
        if accepted < 9:
            self.assertEqual(len(self.all("#heat tbody tr.refused")), 1)
        placed_above = len(self.all("#heat tbody tr:nth-child(4) td.void"))
        self.assertEqual(placed_above, 3)

    def test_playing_ends_at_the_answer(self):
        self.choose_example(3)
        self.rank(budget=2)
        self.find("#play").click()
        self.find("#to-first").click()  # a step that is asked for stops the play
        self.assertEqual(self.find("#play").text, "Play")
        self.find("#play").click()
        self.wait(lambda: self.step() == self.last_step())
        self.wait(lambda: self.find("#play").text == "Play")

    def test_three_decoders_are_compared(self):
        self.choose_example(3)
        self.find("#compare").click()
        self.wait(lambda: self.text("status") == "Compared ar, std and rsd.")
        self.assertEqual([len(column.find_elements(By.TAG_NAME, "li"))
                          for column in self.all(".ranking")], [10, 10, 10])  # fmt: skip
        table = {row.find_element(By.TAG_NAME, "th").text:
                 [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
                 for row in self.all("#compared-figures tr")}  # fmt: skip
        self.assertEqual(table["Kendall’s τ with ar"][1], "1.00")
        self.assertEqual(table["encodings"][:2], ["1", "9"])
        self.assertEqual(table["verified"][1], "10 of 10")
        self.find("[data-watch=ar]").click()
        self.assertEqual(self.text("rounds-title"), "Rounds of ar")
        self.assertEqual(self.last_step(), 10)  # the input, 9 encodings, the answer

    def test_a_pasted_request_keeps_its_ids(self):
        self.paste("candidates", json.dumps(REQUEST))
        self.assertEqual(self.find("#asked").get_property("value"), REQUEST["query"])
        self.assertEqual(self.text("candidates-count"), "6 candidates")
        self.rank("exact")
        ids = [node.text for node in self.all("#answer .id")]
        self.assertEqual(sorted(ids), [f"b{i}" for i in range(6)])

    def test_the_keyboard_is_enough(self):
        self.choose_example(3)
        self.find("#asked").send_keys(Keys.CONTROL, Keys.ENTER)
        self.wait_for_answer()
        self.tab_to("#play")
        outline = self.script("return getComputedStyle(document.activeElement).outlineStyle")
        self.assertNotEqual(outline, "none")
        self.tab_to("#step")
        self.press(Keys.HOME)
        self.assertEqual(self.step(), 0)
        self.press(Keys.ARROW_RIGHT)
        self.assertEqual(self.step(), 1)
        self.tab_to("#chart")
        self.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
        self.assertEqual(self.step(), 2)
        self.assertRegex(self.text("item-reading"), r"^Item \d+, rank \d+ in the input")
        self.tab_to("#heat td")
        self.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
        self.assertRegex(self.text("cell-reading"), r"^Rank 2, item \d+: ")
        self.assertEqual(self.focused().tag_name, "td")

    def tab_to(self, css):
        for _ in range(60):
            if self.script("return document.activeElement.matches(arguments[0])", css):
                return
            self.press(Keys.TAB)
        self.fail(f"Tab does not lead to {css}")

    def test_a_phone_shows_everything_without_scrolling_sideways(self):
        self.emulate(width=360, height=740, mobile=True)
        self.open()
        self.assert_fits_width()
        for decoder in ("rsd", "ar"):
            self.choose_example(4)
            self.rank(decoder)
            self.to_step(self.last_step())
            self.assert_fits_width()
        self.find("#compare").click()
        self.wait(lambda: self.text("status") == "Compared ar, std and rsd.")
        self.assert_fits_width()

    def test_the_dark_page_is_dark(self):
        def brightness(css):
            color = self.script(
                "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor", css
            )
            return sum(map(int, re.findall(r"\d+", color)[:3])) / 3

        self.assertGreater(brightness("body"), 200)
        self.emulate(color_scheme="dark")
        self.assertLess(brightness("body"), 60)
        self.choose_example(3)
        self.rank()
        self.assertLess(brightness("#asked"), 80)

    def test_reduced_motion_shows_the_answer_at_once(self):
        self.emulate(reduced_motion="reduce")
        self.choose_example(3)
        self.rank()
        self.assertEqual(self.step(), self.last_step())
        self.assertEqual(self.find("#play").text, "Play")

    def test_texts_are_data(self):
        evil = "<img src=x onerror=alert(1)> & <b>bold</b>"
        self.fill("asked", evil)
        self.paste("candidates", f"{evil}\nharmless\n</li><script>alert(2)</script>")
        self.rank("std")
        self.assertIn(evil, [node.text for node in self.all("#answer .text")])
        self.assertEqual(self.all("main img, main script, main b b"), [])

    def test_bad_input_is_reported_with_its_line(self):
        lines = json.dumps(REQUEST, indent=1).split("\n")
        lines[3] = lines[3].replace(":", "", 1)
        self.paste("candidates", "\n".join(lines))
        self.find("#run").click()
        self.assertRegex(self.text("error"), r"^Line 4: this is not JSON")
        self.assertEqual(self.focused().get_attribute("id"), "candidates")
        self.assertEqual(self.focused().get_attribute("aria-invalid"), "true")
        for field, bad, message in [
            ("candidates", '\n{"query": "q", "candidates": [{"id": 1}]}',
             "Line 2: candidate 1 has no text."),
            ("candidates", '{"candidates": ["a", "b"]}',
             "Line 1: neither “query” nor “history” is there."),
            ("candidates", "only one", "Enter at least two candidates, one a line."),
            ("asked", " ", "Enter a query."),
            ("budget", "0", "The budget is a whole number of encodings, at least 1, or empty."),
        ]:  # fmt: skip
            with self.subTest(bad):
                self.choose_example(0)
                self.paste(field, bad)
                self.find("#run").click()
                self.wait(lambda: self.text("error") == message)


class OnStandIn(Flows, PageCase):
    start_server = PageServer

    def setUp(self):
        super().setUp()
        self.server.plan.clear()
        self.server.requests.clear()
        self.server.key = None
        self.server.ready = True

    def test_the_request_carries_what_the_form_says(self):
        self.choose_example(3)
        self.fill("deadline", "250")
        self.rank("sd", budget=4)
        sent = self.server.requests[-1]
        self.assertEqual((sent["decoder"], sent["budget"], sent["deadline_ms"]), ("sd", 4, 250))
        self.assertEqual(sent["history"][0], "Castle in the Sky")
        self.rank("std")
        self.assertNotIn("budget", self.server.requests[-1])

    def test_a_round_shows_where_the_llm_disagrees(self):
        self.paste("candidates", json.dumps(REQUEST))
        self.rank("rsd", budget=3)
        rounds = decode(REQUEST)["rounds"]
        for step, expected in enumerate(rounds, 1):
            self.to_step(step)
            with self.subTest(step=step):
                column = self.all(".column")[step]
                accepted = column.find_elements(By.CSS_SELECTOR, ".chip.accepted")
                self.assertEqual(len(accepted), expected["accepted"])
                self.assertEqual(self.text("count-known"), f"{len(expected['known'])} / 6")

    def test_a_busy_server_is_reported_and_tried_again(self):
        self.expected_messages = ["429"]
        self.server.refuse(429, "the queue is full", Retry_After=2)
        self.find("#run").click()
        self.wait(lambda: self.text("error") != "")
        self.assertIn("The server is busy. The queue is full. Try again in 2 seconds.",
                      self.text("error"))  # fmt: skip
        self.find("#retry").click()
        self.wait_for_answer()

    def test_a_loading_server_is_reported_and_becomes_ready(self):
        self.expected_messages = ["503"]
        self.server.ready = False
        self.browser.refresh()
        self.wait(lambda: self.text("server") == "the model is loading")
        self.server.refuse(503, "loading")
        self.find("#run").click()
        self.wait(lambda: "The server is not ready" in self.text("error"))
        self.server.ready = True
        self.wait(lambda: self.text("server") == "made-up")

    def test_a_missing_key_is_asked_for_and_sent(self):
        self.expected_messages = ["401"]
        self.server.key = "sesame"
        self.find("#run").click()
        self.wait(lambda: "API key" in self.text("error"))
        self.assertEqual(self.focused().get_attribute("id"), "key")
        self.press("sesame", Keys.ENTER)
        self.wait_for_answer()
        self.assertEqual(self.script("return localStorage.length + sessionStorage.length"), 0)

    def test_what_the_server_refuses_is_said_in_its_words(self):
        self.expected_messages = ["413", "422", "500"]
        for status, message in [(413, "200 candidates; this server takes 100"),
                                (422, "candidates[1].text is empty"), (500, "")]:  # fmt: skip
            with self.subTest(status):
                self.server.refuse(status, message)
                self.find("#run").click()
                self.wait(lambda: f"({status})" in self.text("error"))
                self.assertIn(message[1:], self.text("error"))

    def test_a_slow_answer_can_be_cancelled(self):
        self.server.gate.clear()
        self.addCleanup(self.server.gate.set)
        self.find("#run").click()
        self.wait(lambda: self.find("#cancel").is_displayed())
        self.assertFalse(self.find("#run").is_enabled())
        self.assertRegex(self.text("elapsed"), r"^\d+\.\d s$")
        self.find("#cancel").click()
        self.wait(lambda: self.text("status") == "Cancelled.")
        self.find("#run").click()
        self.wait(lambda: self.find("#cancel").is_displayed())
        self.press(Keys.ESCAPE)
        self.wait(lambda: self.text("status") == "Cancelled.")
        self.assertTrue(self.find("#run").is_enabled())
        self.assertFalse(self.find("#rounds").is_displayed())

    def test_a_server_that_is_gone_is_reported(self):
        self.expected_messages = ["ERR_CONNECTION_REFUSED", "Failed to load resource"]
        with PageServer() as short_lived:
            self.browser.get(short_lived.url + "/")
            self.wait(lambda: self.text("server") == "made-up")
        self.find("#run").click()
        self.wait(lambda: "The server does not answer." in self.text("error"))
        self.wait(lambda: self.text("server") == "the server does not answer")


class OnTinyModel(Flows, PageCase):
    @classmethod
    def start_server(cls):
        return RsdServer("-m", TINY_MODEL, "-t", 1)


class OnDefaultModel(PageCase):
    @classmethod
    def start_server(cls):
        if not default_model_is_there():
            raise unittest.SkipTest("the default model is not there (rsd model fetch)")
        return RsdServer()

    def test_the_first_example_is_ranked_well(self):
        self.choose_example(0)
        self.rank()
        best = self.find("#answer li .text").text
        self.assertIn("hollandaise", best)
        self.assertGreaterEqual(len(self.all("#answer li.verified")), 3)

    def test_the_decoders_agree_at_the_top(self):
        self.choose_example(0)
        self.find("#compare").click()
        self.wait(lambda: self.text("status") == "Compared ar, std and rsd.")
        firsts = [column.find_element(By.TAG_NAME, "li").get_attribute("data-item")
                  for column in self.all(".ranking")]  # fmt: skip
        self.assertEqual(len(set(firsts)), 1)


@unittest.skipUnless(shutil.which("node"), "not installed: node")
class Sentences(unittest.TestCase):
    def of_the_answer(self, **answer):
        request = {"candidates": [{"id": id, "text": "x"} for id in "abc"]}
        answer = {"ranking": ["b", "a", "c"], "verified_prefix": 0, "rounds": [], **answer}
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder)
            for name in ["trajectory.js", "ranking.js"]:
                shutil.copy(ROOT / "server" / "page" / name, page / name)
            (page / "package.json").write_text('{"type": "module"}')
            (page / "say.js").write_text(
                "import { describe, trajectory } from './trajectory.js';"
                f"const run = trajectory({json.dumps(request)}, {json.dumps(answer)});"
                "console.log(describe(run, run.steps.length - 1));")
            return subprocess.run(["node", page / "say.js"], check=True, capture_output=True,
                                  text=True, timeout=PATIENCE).stdout.strip()

    def test_an_answer_without_encodings_is_the_input_order(self):
        self.assertIn("No encoding was made", self.of_the_answer(encodings=0))
        self.assertIn("No encoding was made", self.of_the_answer(encodings=0, windows={"count": 0}))

    def test_a_list_of_windows_has_no_rounds_but_encodings(self):
        said = self.of_the_answer(encodings=15, verified_prefix=1,
                                  windows={"count": 9, "confirmed_prefix": 1})
        self.assertEqual(said, "The answer, of 9 windows: 1 of 3 verified. The rounds within "
                               "windows aren’t shown.")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    RSD = sys.argv.pop(1)
    unittest.main()
