"""Web page that runs a generator, tested in headless Chromium."""

import base64
import contextlib
import hashlib
import io
import os
import shutil
import socket
import tarfile
import threading
import types
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from keras_gans import provenance
from keras_gans.device import sampler as sampler_lib
from keras_gans.export import web
from keras_gans.export.__main__ import main as main_of_export
from keras_gans.sampling import load
from keras_gans.storage import caches

pytestmark = pytest.mark.xdist_group("web")
FETCHED = caches.folder("web")  # the user's cache, before the tests set another
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync""".split()
# Expected messages: the runtime's without a GPU, and Chromium's about `pixels`.
OWN_WORDS = (
    "No available adapters.",
    "Failed to create default WebGPU device",
    "Canvas2D: Multiple readback",
)


@pytest.fixture(scope="module")
def runtime():
    """Put LiteRT.js into the tests' cache, or skip the test if it is unavailable."""
    kept = os.path.join(FETCHED, f"{web.PACKAGE}.tgz")
    if os.path.isfile(kept):
        os.makedirs(caches.folder("web"), exist_ok=True)
        shutil.copy(kept, caches.folder("web"))
    if web._fetch(web.PACKAGE, web.DIGEST) is None:
        pytest.skip("LiteRT.js is not at hand, and the npm registry not reached")


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def visit(runtime, browser, smoke_run, tmp_path_factory):
    """Return a function that exports and opens a page: (run, page, messages)."""
    done, servers = {}, []

    def opened(name):
        if name not in done:
            run = tmp_path_factory.mktemp("web") / name
            shutil.copytree(smoke_run(name), run)
            assert main_of_export([f"--workdir={run}", "--to=web"]) == 0
            server = web.open_server(str(run / "export" / "web"), 0)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers.append(server)
            page, said = browser.new_page(), []
            page.on("console", lambda m: said.append((m.type, m.text)))
            page.on("pageerror", lambda e: said.append(("error", str(e))))
            page.goto(f"http://localhost:{server.server_address[1]}/")
            wait(page, "window.ganPage !== undefined")
            page.evaluate("ganPage.ready")
            done[name] = run, page, said
        return done[name]

    yield opened
    for server in servers:
        server.shutdown()
        server.server_close()


def wait(page, expression):
    """Wait for a condition. The page's policy forbids `Page.wait_for_function`."""
    for _ in range(600):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def opened(browser, folder):
    """Serve a folder until the tests end, and open its page."""
    server = web.open_server(str(folder), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"http://localhost:{server.server_address[1]}/")
    return page


def problems(said):
    return [
        text
        for kind, text in said
        if kind in ("error", "warning") and not text.startswith(OWN_WORDS)
    ]


def pixels(page):
    """Pixels of the canvas: uint8 [height, width, 4]."""
    found = page.evaluate(
        """() => { const c = document.getElementById("made");
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return [c.height, c.width, Array.from(d)]; }"""
    )
    return np.array(found[2], np.uint8).reshape(found[0], found[1], 4)


def settled(page):
    """Wait until the page shows the image of the last change."""
    page.wait_for_timeout(100)
    wait(page, "/ ms( each)?\\.$/.test(document.getElementById('status').textContent)")
    page.wait_for_timeout(300)


@pytest.mark.parametrize(
    "name",
    [
        "cgan",
        pytest.param("stylegan2", marks=pytest.mark.release),
        pytest.param("infogan", marks=pytest.mark.second),
    ],
)
def test_same_latents_give_the_same_picture_as_python(name, visit):
    run, page, said = visit(name)
    sampler = load.load(str(run / "export" / "generator.tflite"))
    latents = sampler.latents(range(3), sampler_lib.SampleOptions(seed=5))
    labels = sampler.labels(3, None)
    expected = sampler.generate(latents, labels)
    for i in range(3):
        asked = {"latents": latents[i].tolist()}
        if labels is not None:
            asked["labels"] = int(labels[i])
        made = page.evaluate(
            "async (asked) => Array.from(await ganPage.generate(asked))", asked
        )
        made = np.array(made).reshape(expected[i].shape)
        assert np.abs(made - expected[i]).mean() < 1e-3
        assert made.std() > 0
    assert not problems(said)


def test_controls_change_the_picture(visit):
    run, page, said = visit("cgan")
    page.select_option("#grid", "1")
    seen = []
    for label in ("3", "7"):
        page.select_option("#label", label)
        settled(page)
        seen.append(pixels(page))
        # The image of that label, generated from the page's own latents.
        latents = page.evaluate("Array.from(ganPage.latents(0))")
        sampler = load.load(str(run / "export" / "generator.tflite"))
        z = np.array([latents], np.float32)
        made = sampler.generate(z, np.array([int(label)], np.int32))[0]
        apart = np.abs(
            seen[-1][..., :1].astype(int) - sampler_lib.to_uint8(made).astype(int)
        )
        assert apart.max() <= 1
        assert f"of {label}, seed 0" in page.get_attribute("#made", "aria-label")
    assert (seen[0] != seen[1]).any()
    for control, value in (
        ("seed", "5"),
        ("truncation", "0.2"),
        ("towards", "0.5"),
        ("direction0", "2"),
    ):
        page.evaluate("document.querySelector('details').open = true")
        page.fill(f"#{control}", value)
        settled(page)
        seen.append(pixels(page))
        assert (seen[-1] != seen[-2]).any(), control
    page.click("#shuffle")
    settled(page)
    assert page.input_value("#seed") != "5"
    page.select_option("#grid", "16")
    settled(page)
    assert pixels(page).shape[0] == 4 * seen[0].shape[0]
    assert not problems(said)


def test_downloads_say_where_they_come_from(visit, tmp_path):
    run, page, _ = visit("cgan")
    page.select_option("#label", "4")
    page.fill("#seed", "9")
    settled(page)
    with page.expect_download() as waiting:
        page.click("#download")
    path = tmp_path / "made.png"
    waiting.value.save_as(path)
    said = provenance.read(str(path))
    info = load.load(str(run / "export" / "generator.tflite")).info
    assert said["generator"] == sampler_lib.describe(info)["generator"]
    assert (said["seed"], said["label"]) == (9, 4)
    assert said["digital_source_type"].endswith("trainedAlgorithmicMedia")
    np.testing.assert_array_equal(Image.open(path).convert("RGBA"), pixels(page))


def test_keyboard_reaches_every_control_and_each_has_a_name(visit):
    _, page, _ = visit("cgan")
    page.evaluate("document.querySelector('details').open = true")
    names = page.evaluate(
        """() => Array.from(document.querySelectorAll("input, select, button"),
        (e) => [e.id, (e.labels?.[0]?.innerText || e.textContent).trim()])"""
    )
    assert names and all(name for _, name in names), names
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(len(names) + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {id_ for id_, _ in names} <= reached


@pytest.mark.second
@pytest.mark.parametrize("name", ["cgan", "pix2pix"])
def test_page_fits_a_phone(name, visit):
    _, page, _ = visit(name)
    page.set_viewport_size({"width": 360, "height": 740})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    heights = page.evaluate(
        """Array.from(document.querySelectorAll("select, button, input"),
        (e) => e.type === "checkbox" ? 44 : e.offsetHeight).filter((h) => h > 0)"""
    )
    assert min(heights) >= 44
    page.set_viewport_size({"width": 1280, "height": 720})


@pytest.mark.second
def test_pictures_from_pictures(visit, tmp_path):
    run, page, said = visit("pix2pix")
    sampler = load.load(str(run / "export" / "generator.tflite"))
    side, _, channels = sampler.info["condition_shape"]
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (side, side, channels), np.uint8)
    (tmp_path / "given.png").write_bytes(sampler_lib.encode(given))
    page.set_input_files("#file", tmp_path / "given.png")
    settled(page)
    expected = sampler.translate(given)
    made = pixels(page)[..., : expected.shape[-1]]
    assert np.abs(made.astype(int) - expected).mean() / 127.5 < 1e-3 + 0.5 / 127.5
    assert np.abs(made.astype(int) - expected).max() <= 1
    (tmp_path / "text.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "text.png")
    page.wait_for_selector("#status.error")
    assert "not an image" in page.inner_text("#status")
    page.click("#camera")
    wait(page, "document.getElementById('status').textContent.includes('no camera')")
    assert not problems(said)


def test_what_is_missing_is_said_on_the_page(runtime, browser, visit, tmp_path):
    run, _, _ = visit("cgan")
    for missing, message in (
        ("generator.tflite", "generator.tflite is missing"),
        ("litert/core.js", "the LiteRT runtime cannot be loaded"),
    ):
        folder = tmp_path / missing.replace("/", "_")
        shutil.copytree(run / "export" / "web", folder)
        (folder / missing).unlink()
        with web.open_server(str(folder), 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            page = browser.new_page()
            page.goto(f"http://localhost:{server.server_address[1]}/")
            page.wait_for_selector("#status.error")
            assert message in page.inner_text("#status")
            page.close()
            server.shutdown()


def package():
    """Archive that holds all files of the runtime, each of four bytes."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for source in (*web.INTEGRITY, *web.FILES):
            entry = tarfile.TarInfo(f"package/{source}")
            entry.size = 4
            archive.addfile(entry, io.BytesIO(b"text"))
    return file.getvalue()


class Answer(io.BytesIO):
    """Response of `urlopen`."""


@pytest.mark.second
def test_runtime_is_checked_kept_and_done_without(
    smoke_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    run = tmp_path / "run"
    shutil.copytree(smoke_run("cgan"), run)
    page = run / "export" / "web"
    args = [f"--workdir={run}", "--to=web"]

    def offline(url, timeout):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    capsys.readouterr()
    assert main_of_export(args) == 0
    assert "cannot be reached: the page loads LiteRT.js" in capsys.readouterr().out
    text = (page / "index.html").read_text()
    assert "https://cdn.jsdelivr.net/npm/@litertjs/core@2.5.3" in text
    assert "$" not in text and not (page / "litert").exists()
    # An archive with another digest is refused, and the page stays unchanged.
    monkeypatch.setattr(urllib.request, "urlopen", lambda u, timeout: Answer(package()))
    assert main_of_export(args) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and "expected the file that" in err
    assert (page / "index.html").read_text() == text
    assert not list((tmp_path / "caches").rglob("*.tgz"))
    # The archive with the right digest is downloaded once.
    content, asked = package(), []
    monkeypatch.setattr(web, "DIGEST", web._digest(content))
    monkeypatch.setattr(
        urllib.request, "urlopen", lambda u, timeout: asked.append(u) or Answer(content)
    )
    assert main_of_export(args) == 0 and main_of_export(args) == 0
    assert asked == [f"https://registry.npmjs.org/@litertjs/core/-/{web.PACKAGE}.tgz"]
    assert (
        page / "litert" / "wasm" / "litert_wasm_internal.wasm"
    ).read_bytes() == b"text"
    assert './litert/core.js"' in (page / "index.html").read_text()


def test_hashes_are_those_of_the_package(runtime):
    content = web._fetch(web.PACKAGE, web.DIGEST)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for name, integrity in web.INTEGRITY.items():
            data = archive.extractfile(f"package/{name}").read()
            digest = base64.b64encode(hashlib.sha384(data).digest()).decode()
            assert integrity == f"sha384-{digest}", name


@pytest.mark.parametrize(
    "file",  # Chromium needs no file of the name "compat"
    ["core.js", *(name for name in web.INTEGRITY if "litert_wasm_internal" in name)],
)
def test_changed_files_of_the_runtime_are_not_run(
    file, runtime, browser, visit, tmp_path
):
    run, _, _ = visit("cgan")
    folder = tmp_path / "web"
    shutil.copytree(run / "export" / "web", folder)
    with open(folder / "litert" / file, "ab") as changed:
        changed.write(b"\n//")
    page = opened(browser, folder)
    page.wait_for_selector("#status.error")
    assert "the LiteRT runtime cannot be loaded" in page.inner_text("#status")
    page.close()


def test_policy_forbids_scripts_in_the_page(runtime, browser, visit, tmp_path):
    run, _, _ = visit("cgan")
    folder = tmp_path / "web"
    shutil.copytree(run / "export" / "web", folder)
    text = (folder / "index.html").read_text()
    evil = "<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
    evil += '<script src="https://example.com/evil.js"></script>'
    (folder / "index.html").write_text(text.replace("<main>", evil + "<main>"))
    page = opened(browser, folder)
    wait(page, "window.ganPage !== undefined")
    page.evaluate("ganPage.ready")
    assert page.evaluate("window.evil") is None
    for code in ("fetch('https://example.com/')", "fetch('data:,x')"):
        assert page.evaluate(
            f"(async () => {{ try {{ await {code}; return false }} "
            "catch (error) { return true } })()"
        ), code
    page.close()


def test_names_are_text_in_the_page(smoke_run, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "_add_runtime", lambda folder: False)
    monkeypatch.setattr("keras_gans.export.saved_model.export", lambda *a, **k: None)
    monkeypatch.setattr("keras_gans.export.tflite.export", lambda *a, **k: None)
    info = {"name": "<img src=x>", "step": 1, "data_credit": "<b>&", "recipe": ""}
    sampler = types.SimpleNamespace(info={**info, "image_shape": [4, 4, 1]})
    web.export(sampler, str(tmp_path / "web"), "float32")
    text = (tmp_path / "web" / "index.html").read_text()
    assert "<img" not in text and "<b>" not in text
    assert text.count("&lt;img src=x&gt;, step 1") == 2
    assert f"'self'{' ' + web.PUBLIC}/@litertjs/; style-src" in text


def ask(port, request):
    """Return the status of the answer to raw bytes; None if there is no answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(2**16):
                answer += part
    words = answer.split(maxsplit=2)
    return (int(words[1]) if words[:1] and words[0][:5] == b"HTTP/" else None), answer


@pytest.mark.parametrize(
    "request_line, status",
    [
        ("GET / HTTP/1.1", 200),
        ("HEAD /index.html?x=../../y HTTP/1.0", 200),
        ("GET //index.html HTTP/1.1", 200),
        ("GET /%69ndex.html HTTP/1.1", 200),
        ("GET /none HTTP/1.1", 404),
        ("GET /litert HTTP/1.1", 404),
        ("GET /litert/ HTTP/1.1", 404),
        ("GET /link HTTP/1.1", 404),
        ("GET /linked/secret HTTP/1.1", 404),
        ("GET /pipe HTTP/1.1", 404),
        ("GET /%ff HTTP/1.1", 404),
        ("GET /" + "a" * 5000 + " HTTP/1.1", 404),
        ("GET /../secret HTTP/1.1", 400),
        ("GET /%2e%2e/secret HTTP/1.1", 400),
        ("GET /..%2fsecret HTTP/1.1", 400),
        ("GET /litert/%2e./index.html HTTP/1.1", 400),
        ("GET /index.html%00.js HTTP/1.1", 400),
        ("GET /a%0d%0aX: HTTP/1.1", 400),
        ("GET /..%5csecret HTTP/1.1", 400),
        ("GET /litert//core.js HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET http://example.com/ HTTP/1.1", 400),
        ("GET", 400),
        ("\x16\x03\x01\x02 a b c", 400),
        ("GET / HTTP/x", 400),
        ("GET / HTTP/9.9", 505),
        ("GET /" + "a" * 70_000 + " HTTP/1.1", 414),
        ("GET / HTTP/1.1\r\nHost: example.com", 400),
        ("GET / HTTP/1.1\r\nHost: localhost:8000", 200),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1", 200),
        ("GET / HTTP/1.1\r\nRange: bytes=9999999-x", 200),
        ("GET / HTTP/1.1\r\nIf-Modified-Since: never", 200),
        ("GET / HTTP/1.1\r\n" + "X: y\r\n" * 200, 431),
        ("POST / HTTP/1.1\r\nContent-Length: 9", 405),
        ("DELETE /index.html HTTP/1.1", 405),
        ("OPTIONS / HTTP/1.1", 405),
        ("FOO / HTTP/1.1", 405),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_server_answers_odd_requests(request_line, status, tmp_path, capfd):
    folder = tmp_path / "web"
    (folder / "litert").mkdir(parents=True)
    (folder / "index.html").write_text("page")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    with web.open_server(str(folder), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        found, answer = ask(port, request_line.encode("latin1") + b"\r\n\r\n")
        assert found == status
        assert b"secret" not in answer.partition(b"\r\n\r\n")[2]
        assert (b"Allow: GET, HEAD" in answer) == (status == 405)
        assert ask(port, b"GET / HTTP/1.0\r\n\r\n")[0] == 200  # goes on
        server.shutdown()
    assert capfd.readouterr() == ("", "")


def test_server_is_local_and_says_its_types(tmp_path):
    for name in ("page.js", "runtime.wasm", "index.html"):
        (tmp_path / name).touch()
    with web.open_server(str(tmp_path), 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host, port = server.server_address
        assert host == "127.0.0.1"
        for name, kind in (
            ("page.js", "text/javascript"),
            ("runtime.wasm", "application/wasm"),
            ("", "text/html"),
        ):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}") as answer:
                assert answer.headers["Content-Type"] == kind
                assert answer.headers["Cache-Control"] == "no-cache"
        with pytest.raises(web.UserError, match=f"--port={port}: "):
            web.open_server(str(tmp_path), port)
        server.shutdown()


def test_mistakes_are_one_line(smoke_run, tmp_path, capsys):
    ring = smoke_run("rsgan_ring")
    for main, args, message in (
        (web.main, [], "expected the folder of a run"),
        (web.main, [f"--workdir={tmp_path}", "--serve"], "not a run's folder"),
        (web.main, [f"--workdir={ring}"], "generates points"),
        (main_of_export, [f"--workdir={ring}", "--to=web"], "generates points"),
        (
            main_of_export,
            [f"--workdir={smoke_run('pix2pix')}", "--to=web", "--size=0"],
            "expected a fixed --size",
        ),
    ):
        capsys.readouterr()
        assert main(args) == 2
        out, err = capsys.readouterr()
        assert not out and err.count("\n") == 1 and message in err, err
