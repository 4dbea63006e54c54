"""A small Hugging Face Hub on this machine, for tests with the real `huggingface_hub` client: `python tests/local_hub.py`.

It prints its address, serves until it is killed, and keeps everything in memory: public and private repositories of any kind,
branches, commits with plain and LFS files, trees, downloads with ranges. A token that ends in "read" may not write, and
without one nothing private is to be seen. The client finds it by HF_ENDPOINT, which must be set before `huggingface_hub` is
imported, with HF_HUB_DISABLE_XET=1. For tests: POST /drop/PART breaks the connection in the middle of the next request
whose method and path contain PART, GET /requests lists what came ("PUT /lfs/...", and "!" before those that were broken).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

KINDS = {"": "models", "models": "models", "datasets": "datasets", "spaces": "spaces"}
INLINE_SUFFIXES = (".md", ".json", ".txt", ".py", ".yaml", ".gitattributes")  # the rest goes through LFS

Files = dict[str, str]  # path -> sha256 of its contents

branches: dict[str, dict[str, str]] = {}  # "datasets/user/name" -> branch -> id of its newest commit
commits: dict[str, dict[str, Files]] = {}  # -> id of a commit -> its files
private: set[str] = set()
blobs: dict[str, bytes] = {}  # sha256 -> contents
requests: list[str] = []
drops: list[str] = []


def files_at(repository: str, revision: str) -> Files | None:
    """The files of a branch or a commit; None if there is no such revision."""
    return commits[repository].get(branches[repository].get(revision, revision))


def commit(repository: str, branch: str, operations: list[dict[str, Any]]) -> str:
    """Applies the lines of a commit; the id of the new one."""
    files = dict(files_at(repository, branch) or {})
    for operation in operations:
        value = operation["value"]
        if operation["key"] == "file":
            content = base64.b64decode(value["content"])
            files[value["path"]] = hashlib.sha256(content).hexdigest()
            blobs[files[value["path"]]] = content
        elif operation["key"] == "lfsFile":
            assert value["oid"] in blobs, f"{value['path']} was not uploaded"
            files[value["path"]] = value["oid"]
        elif operation["key"] == "deletedFile":
            files.pop(value["path"])
        elif operation["key"] == "deletedFolder":
            for path in [path for path in files if path.startswith(value["path"].rstrip("/") + "/")]:
                files.pop(path)
    state = json.dumps([len(commits[repository]), sorted(files.items())])
    oid = hashlib.sha1(state.encode()).hexdigest()
    commits[repository][oid], branches[repository][branch] = files, oid
    return oid


def entry(path: str, sha256: str) -> dict[str, Any]:
    """A file as trees list it."""
    content = blobs[sha256]
    listed: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": sha256[:40]}
    if not path.endswith(INLINE_SUFFIXES):
        listed["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
    return listed


def tree(files: Files, folder: str, recursive: bool) -> list[dict[str, Any]] | None:
    """The files below a folder, and the folders; None if there is no such folder."""
    prefix = folder.strip("/") + "/" if folder.strip("/") else ""
    files = {path: sha for path, sha in sorted(files.items()) if path.startswith(prefix)}
    if prefix and not files:
        return None
    folders = {
        path[: slash.start()] for path in files for slash in re.finditer("/", path) if slash.start() >= len(prefix)
    }
    listed = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)]
    listed += [entry(path, sha) for path, sha in files.items()]
    return [one for one in listed if recursive or "/" not in one["path"][len(prefix) :]]


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer("GET")

    def do_HEAD(self) -> None:
        self.answer("HEAD")

    def do_POST(self) -> None:
        self.answer("POST")

    def do_PUT(self) -> None:
        self.answer("PUT")

    def log_message(self, *arguments: Any) -> None:
        pass

    def answer(self, method: str) -> None:
        url = urlsplit(self.path)
        self.query, path = parse_qs(url.query), unquote(url.path)
        request, length = f"{method} {path}", int(self.headers.get("Content-Length") or 0)
        for part in [part for part in drops if part in request]:
            drops.remove(part)
            requests.append(f"! {request}")
            self.rfile.read(length // 2)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.body = self.rfile.read(length)
        requests.append(request)
        if re.search(WRITING, request) and self.token.endswith("read"):
            return self.error(403, "Forbidden: you need a token with write permission")
        for methods, pattern, handler in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in methods:
                return handler(self, *match.groups())
        self.error(404, f"no such route: {method} {path}")

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.send(json.dumps(value).encode(), status, Content_Type="application/json", **headers)

    def error(self, status: int, message: str, code: str = "") -> None:
        self.send_json({"error": message}, status, X_Error_Code=code, X_Error_Message=message)

    @property
    def token(self) -> str:
        return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

    def repository(self, kind: str | None, name: str) -> str | None:
        """The repository's key; answers 404 itself if there is none to be seen with this token."""
        key = f"{KINDS[(kind or '').strip('/')]}/{name}"
        if key in branches and (key not in private or self.token):
            return key
        self.error(404, f"no repository {key}", "RepoNotFound")
        return None

    def files(self, key: str, revision: str) -> Files | None:
        """The files at a revision; answers 404 itself if there is none."""
        files = files_at(key, revision)
        if files is None:
            self.error(404, f"no revision {revision}", "RevisionNotFound")
        return files

    def drop(self, part: str) -> None:
        drops.append(part)
        self.send(b"")

    def requests(self) -> None:
        self.send_json(requests)

    def create(self) -> None:
        asked = json.loads(self.body)
        kind = KINDS[(asked.get("type") or "model").rstrip("s") + "s"]
        name = f"{asked.get('organization') or 'user'}/{asked['name']}"
        key = f"{kind}/{name}"
        shown = name if kind == "models" else f"{kind}/{name}"
        where = {"url": f"http://{self.headers['Host']}/{shown}", "name": name, "id": name}
        if key in branches:
            return self.send_json({"error": "You already created this model repo", **where}, 409)
        branches[key], commits[key] = {}, {}
        if asked.get("private") or asked.get("visibility") == "private":
            private.add(key)
        commit(key, "main", [])
        self.send_json(where)

    def preupload(self, kind: str, name: str) -> None:
        files = json.loads(self.body)["files"]
        modes = {True: "regular", False: "lfs"}
        self.send_json(
            {
                "files": [
                    {**one, "uploadMode": modes[one["path"].endswith(INLINE_SUFFIXES)], "shouldIgnore": False}
                    for one in files
                ]
            }
        )

    def lfs_batch(self, kind: str | None, name: str) -> None:
        host, asked = self.headers["Host"], json.loads(self.body)["objects"]
        wanted = [
            {"upload": {"href": f"http://{host}/lfs/{one['oid']}"}} if one["oid"] not in blobs else {} for one in asked
        ]
        objects = [
            {**one, **({"actions": actions} if actions else {})} for one, actions in zip(asked, wanted, strict=True)
        ]
        self.send_json({"transfer": "basic", "objects": objects})

    def lfs_put(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            return self.error(400, "the contents do not have this hash")
        blobs[sha256] = self.body
        self.send(b"")

    def branch(self, kind: str, name: str, branch: str) -> None:
        if (key := self.repository(kind, name)) is not None:
            if branch in branches[key]:
                return self.error(409, f"there is a branch {branch}")
            branches[key][branch] = branches[key]["main"]
            self.send_json({})

    def commit(self, kind: str, name: str, revision: str) -> None:
        if (key := self.repository(kind, name)) is not None and self.files(key, revision) is not None:
            lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
            oid = commit(key, revision, [line for line in lines if line["key"] != "header"])
            self.send_json(
                {"success": True, "commitOid": oid, "commitUrl": f"http://{self.headers['Host']}/{name}/commit/{oid}"}
            )

    def info(self, kind: str, name: str, revision: str | None) -> None:
        if (key := self.repository(kind, name)) is None:
            return
        if (files := self.files(key, revision or "main")) is not None:
            siblings = [{"rfilename": path} for path in sorted(files)]
            sha = branches[key].get(revision or "main", revision)
            about = {"id": name, "sha": sha, "private": key in private, "tags": [], "downloads": 0, "likes": 0}
            self.send_json({**about, "siblings": siblings})

    def tree(self, kind: str, name: str, revision: str, folder: str | None) -> None:
        if (key := self.repository(kind, name)) is None or (files := self.files(key, revision)) is None:
            return
        listed = tree(files, folder or "", "true" in [value.lower() for value in self.query.get("recursive", [])])
        if listed is None:
            return self.error(404, f"no folder {folder}", "EntryNotFound")
        self.send_json(listed)

    def paths_info(self, kind: str, name: str, revision: str) -> None:
        if (key := self.repository(kind, name)) is None or (files := self.files(key, revision)) is None:
            return
        asked = self.body.decode()
        paths = json.loads(asked)["paths"] if asked.startswith("{") else parse_qs(asked)["paths"]
        listed = tree(files, "", recursive=True) or []
        self.send_json([one for one in listed if one["path"] in [path.strip("/") for path in paths]])

    def resolve(self, kind: str | None, name: str, revision: str, path: str) -> None:
        if (key := self.repository(kind, name)) is None or (files := self.files(key, revision)) is None:
            return
        if path not in files:
            return self.error(404, f"no file {path}", "EntryNotFound")
        content = blobs[files[path]]
        oid = branches[key].get(revision, revision)
        headers = {"ETag": f'"{files[path]}"', "X_Repo_Commit": oid, "Accept_Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            return self.send(content, **headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        self.send(content[first : last + 1], 206, Content_Range=f"bytes {first}-{last}/{len(content)}", **headers)

    def validate_yaml(self) -> None:
        self.send_json({"errors": [], "warnings": []})

    def auth_check(self, kind: str, name: str) -> None:
        if self.repository(kind, name) is not None:
            self.send_json({})

    def who_am_i(self) -> None:
        self.send_json({"type": "user", "name": "user", "orgs": [], "auth": {"accessToken": {"role": "write"}}})


KIND, NAME = "(models|datasets|spaces)", "([^/]+/[^/]+)"
WRITING = "^(POST .*/(create|preupload/[^/]+|branch/[^/]+|commit/[^/]+)|PUT .*|GET .*/auth-check/write)$"
ROUTES = (
    ("POST", "/drop/(.+)", Hub.drop),
    ("GET", "/requests", Hub.requests),
    ("POST", f"/api/{KIND}/{NAME}/branch/([^/]+)", Hub.branch),
    ("POST", "/api/repos/create", Hub.create),
    ("POST", "/api/validate-yaml", Hub.validate_yaml),
    ("GET", "/api/whoami-v2", Hub.who_am_i),
    ("GET", f"/api/{KIND}/{NAME}/auth-check(?:/write)?", Hub.auth_check),
    ("POST", f"/api/{KIND}/{NAME}/preupload/[^/]+", Hub.preupload),
    ("POST", f"/(datasets/|spaces/)?{NAME}\\.git/info/lfs/objects/batch", Hub.lfs_batch),
    ("PUT", "/lfs/([0-9a-f]{64})", Hub.lfs_put),
    ("POST", f"/api/{KIND}/{NAME}/commit/([^/]+)", Hub.commit),
    ("GET", f"/api/{KIND}/{NAME}(?:/revision/([^/]+))?", Hub.info),
    ("GET", f"/api/{KIND}/{NAME}/tree/([^/]+)(/.*)?", Hub.tree),
    ("POST", f"/api/{KIND}/{NAME}/paths-info/([^/]+)", Hub.paths_info),
    (("GET", "HEAD"), f"/(datasets/|spaces/)?{NAME}/resolve/([^/]+)/(.+)", Hub.resolve),
)

if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
