"""Export a trained generator as a web page that runs the generator in the browser.

    python -m keras_gans.export.web --workdir=runs/cgan --serve

writes the folder export/web of a run, unless the folder exists already, and opens the
page on this machine. Without --serve, the command always writes the folder, as
`python -m keras_gans.export --to=web` does. Any web server can serve the folder as it
is. No data leave the browser.

The page runs the .tflite file with LiteRT.js. The command downloads LiteRT.js from the
npm registry once, checks it, and keeps it in the user's cache. Without a network, the
page loads the same version from a public server each time it is opened.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import http.server
import importlib.resources
import io
import json
import os
import re
import shutil
import string
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from typing import TYPE_CHECKING, Any

from absl import flags

from keras_gans.cli.flags import define_workdir, workdir_of
from keras_gans.cli.run import run_command
from keras_gans.device import sampler as sampler_lib
from keras_gans.errors import UserError
from keras_gans.storage import caches

if TYPE_CHECKING:
    from keras_gans.sampling.keras_sampler import KerasSampler

REGISTRY = "https://registry.npmjs.org"
PUBLIC = "https://cdn.jsdelivr.net/npm"
# Package to download: its name, the SHA-512 of its archive, and hashes of its files.
PACKAGE = "core-2.5.3"
DIGEST = (
    "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4n"
    "zWoyJQ=="
)
INTEGRITY = {
    "dist/index.js": (
        "sha384-MapSVJ/DPwvaWpp7q+Bid9O3uY1oB0KOU1QRMP+Mm5zdz5oMme/BUyX6dVAMWnPg"
    ),
    "wasm/litert_wasm_internal.js": (
        "sha384-NB/Wc4iozynQO5jzJ2VFoMKbqMvwwFGWxJL/o63IJT6W2JfZbsSLxA2cF6H/mLpQ"
    ),
    "wasm/litert_wasm_internal.wasm": (
        "sha384-AZ/Ak4CbDpjqpSr8WsnoL3Dcx6bDFA/k9b/jahok1TGHZ2OqIRjLBMiEmiNedhlC"
    ),
    "wasm/litert_wasm_compat_internal.js": (
        "sha384-oh4nb8zDq6eVOpGeZE5gwDOJ16QujHLL8k/HEXt3XiPxr+8zn3YnkXP8P3BlJET1"
    ),
    "wasm/litert_wasm_compat_internal.wasm": (
        "sha384-glAZ6WjS7tLRt89pbTPXvLC1c7DCaVSfL2ngn5gZJiUuPs76fWYJy7ZeFaD0PJXx"
    ),
}
FILES = {"dist/index.js": "core.js", "package.json": "core.json"}  # other names here
LOCAL = {"core": "./litert/core.js", "wasm": "./litert/wasm/"}
REMOTE = {
    "core": f"{PUBLIC}/@litertjs/core@2.5.3/dist/index.js",
    "wasm": f"{PUBLIC}/@litertjs/core@2.5.3/wasm/",
}
# Content security policy of the page. Images come from files, from the camera and from
# memory; $hash is that of the import map, and $more is the public server or nothing.
POLICY = string.Template(
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' '$hash'$more; "
    "connect-src 'self'$more; style-src 'self'; img-src 'self' data: blob:; "
    "media-src blob:; base-uri 'none'; form-action 'none'"
)


def export(
    sampler: KerasSampler, path: str, quantization: str, size: int | None = None
) -> None:
    """Write the folder of a page.

    An older folder at this path is replaced once the new one is complete.

    Args:
        sampler: Sampler of the generator.
        path: Folder to write.
        quantization: Precision of the page's .tflite file, one of
            `tflite.QUANTIZATIONS`.
        size: Side in pixels of the condition images of a translation model.

    Raises:
        UserError: If the downloaded runtime differs from the tested one.
    """
    from keras_gans.export import saved_model, tflite

    info = dict(sampler.info)
    temporary = f"{path}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    pages = importlib.resources.files("keras_gans.export") / "web_page"
    with importlib.resources.as_file(pages) as folder:
        shutil.copytree(folder, temporary)
    places = LOCAL if _add_runtime(os.path.join(temporary, "litert")) else REMOTE
    page = os.path.join(temporary, "index.html")
    with open(page, encoding="utf-8") as file:
        text = string.Template(file.read())
    words = _words(places, remote=places is REMOTE)
    words["title"] = html.escape(f"{info['name']}, step {info['step']}")
    words["about"] = _credit(info)
    with open(page, "w", encoding="utf-8") as file:
        file.write(text.substitute(words))
    if size is not None:
        info["tile"] = size
    # Swept after a kill.
    beside = {"dir": os.path.dirname(path), "prefix": "scratch", "suffix": ".tmp"}
    with tempfile.TemporaryDirectory(**beside) as source:
        # LiteRT.js needs fixed shapes, so the page generates one image at a time.
        saved_model.export(sampler, source, size, num=1)
        generator = os.path.join(temporary, "generator.tflite")
        tflite.export(sampler, generator, source, quantization, size)
    info["generator"] = sampler_lib.describe(info)["generator"]
    info["xmp"] = sampler_lib.XMP
    with open(os.path.join(temporary, "generator.json"), "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)
    saved_model.replace_folder(temporary, path)


def _words(places: dict[str, str], remote: bool) -> dict[str, str]:
    """Return the words of the page that say what it loads, and check what it loads."""
    imports = {"@litertjs/core": places["core"], "@litertjs/wasm-utils": "./utils.js"}
    integrity = {places["core"]: INTEGRITY["dist/index.js"]}
    imports = json.dumps({"imports": imports, "integrity": integrity})
    digest = base64.b64encode(hashlib.sha256(imports.encode()).digest()).decode()
    more = f" {PUBLIC}/@litertjs/" if remote else ""
    files = {os.path.basename(name): value for name, value in INTEGRITY.items()}
    return {
        "imports": imports,
        "integrity": html.escape(json.dumps(files)),
        "policy": POLICY.substitute(hash=f"sha256-{digest}", more=more),
        "wasm": places["wasm"],
    }


def check(info: dict, size: int | None) -> None:
    """Check that a page can show a generator's images.

    Args:
        info: Description of the generator; see `BaseSampler.info`.
        size: Side in pixels of the condition images; see `export`.

    Raises:
        UserError: If the generator draws points, or the size is 0 (any size).
    """
    if info["image_shape"][-1] not in (1, 3):
        raise UserError(f"--to=web shows images, and {info['name']} generates points")
    if size == 0:
        raise UserError("--to=web: expected a fixed --size in pixels, got 0")


def _credit(info: dict) -> str:
    credit = info["data_credit"]
    return html.escape(f"Trained on: {credit}.") if credit else ""


def _add_runtime(folder: str) -> bool:
    """Copy the runtime to a folder; return False if it cannot be downloaded."""
    content = _fetch(PACKAGE, DIGEST)
    if content is None:
        print(
            f"{REGISTRY} cannot be reached: the page loads LiteRT.js from {PUBLIC} "
            "each time the page is opened",
            flush=True,
        )
        return False
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for source in (*INTEGRITY, *FILES):
            path = os.path.join(folder, FILES.get(source, source))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.extractfile(f"package/{source}") as file:
                sampler_lib.write(file.read(), path)
    return True


def _fetch(name: str, digest: str) -> bytes | None:
    """Read a package of the runtime from the cache or the registry.

    Args:
        name: Name of the package, with its version.
        digest: SHA-512 of the package, in base64.

    Returns:
        Content of the package. None if the registry cannot be reached.

    Raises:
        UserError: If the downloaded package has another digest.
    """
    package = name.rpartition("-")[0]
    path = os.path.join(caches.folder("web"), f"{name}.tgz")
    try:
        with open(path, "rb") as file:
            content = file.read()
        if _digest(content) == digest:
            return content
    except OSError:
        pass  # not in the cache yet
    url = f"{REGISTRY}/@litertjs/{package}/-/{name}.tgz"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, urllib.error.URLError):
        return None
    if _digest(content) != digest:
        raise UserError(
            f"{url}: expected the file that this version of keras_gans was tested "
            "with, got another; nothing was written"
        )
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        sampler_lib.write(content, path)
    except OSError:
        pass  # without a cache, the next export downloads the package again
    return content


def _digest(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Request handler that serves the files of a page, and nothing else.

    It answers odd requests with 400, lists no folders, follows no links out of the
    folder, and logs nothing.
    """

    timeout = 30  # seconds of silence after which a connection is closed
    default_request_version = "HTTP/1.0"  # the answer to a broken line has a status
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",  # text/plain in the tables of some systems
        ".wasm": "application/wasm",
    }

    def send_head(self) -> Any:
        """Send the headers of a file, or an error."""
        host = self.headers.get("Host", "localhost").lower()
        name = re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", host)
        path = urllib.parse.unquote(self.path.partition("?")[0])
        odd = re.search(r"[\x00-\x1f\x7f\\]|//|/\.\.?(/|$)", path)
        if not name or odd or not path.startswith("/"):
            self.send_error(400)
            return None
        root = os.path.realpath(self.directory)
        file = os.path.realpath(os.path.join(root, path[1:] or "index.html"))
        if os.path.commonpath([root, file]) != root or not os.path.isfile(file):
            self.send_error(404)
            return None
        return super().send_head()

    def send_error(self, code: int, *args: Any, **keywords: Any) -> None:
        """Send an error; the answer to methods other than GET and HEAD is 405."""
        if code != 501:
            super().send_error(code, *args, **keywords)
            return
        self.send_response(405)
        for name, value in (("Allow", "GET, HEAD"), ("Content-Length", "0")):
            self.send_header(name, value)
        self.end_headers()

    def end_headers(self) -> None:
        """Turn off the browser's cache, as an export may have changed the page."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Log nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Server that keeps quiet when a browser closes a connection."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: the connection is closed, and the others go on."""


def open_server(folder: str, port: int) -> Server:
    """Open a server of a folder that only this machine can reach.

    Args:
        folder: Folder to serve.
        port: Port of the server, 0 to 65535; 0 for any free port.

    Raises:
        UserError: If the port is in use, not allowed or out of range.
    """
    handler = functools.partial(Handler, directory=folder)
    try:
        return Server(("127.0.0.1", port), handler)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "expected 0 to 65535"
        raise UserError(f"--port={port}: {reason}; use another port") from None


def define_flags(values: flags.FlagValues) -> None:
    """Define the command's flags."""
    flag = {"flag_values": values}
    define_workdir(values)
    flags.DEFINE_bool(
        "serve", False, "Whether to serve the page on this machine.", **flag
    )
    flags.DEFINE_integer(
        "port", 8000, "Port of the server; 0 for any free port.", **flag
    )
    flags.DEFINE_bool(
        "browser", True, "Whether to open the served page in a browser.", **flag
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run_command("web", __doc__, define_flags, _main, argv)


def _main(values: flags.FlagValues) -> None:
    from keras_gans.export import export_workdir

    workdir = workdir_of(values)
    there = os.path.isfile(os.path.join(workdir.web, "index.html"))
    if not (values.serve and there):
        export_workdir(workdir, ["web"])
    if not values.serve:
        return
    with open_server(workdir.web, values.port) as server:
        address = f"http://localhost:{server.server_address[1]}/"
        print(f"{address} (Ctrl-C stops the server)", flush=True)
        if values.browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    sys.exit(main())
