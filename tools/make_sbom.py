#!/usr/bin/env python3
"""Writes what a build of rsd consists of, as a CycloneDX 1.5 bill of materials (JSON).

    tools/make_sbom.py RSD [--lib FILE...]        RSD is the program; `./dev sbom` calls this

Names llama.cpp and the LLM by the hashes that they are pinned to, the shared libraries that RSD and the FILEs load and the
headers that they were compiled with by Debian's packages of this machine, and the adapters and the agent by their
contents. The same inputs give the same bytes: there is no time in it, and the serial number comes from the content. The
machine has to be a Debian, since it is asked which package a file belongs to. Standard library only.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "rsd.invalid")
# Compiled into rsd, so no NEEDED names them; of the libraries' own packages the same version.
HEADERS_ONLY = {"nlohmann-json3-dev": "MIT", "libcli11-dev": "BSD-3-Clause"}
PROJECT_FILES = {  # and what they are
    "models/smollm2-135m-rank-lora.gguf": "adapter of the default model; made of data for non-commercial research",
    "models/smollm2-135m-rank-blocks-lora.gguf": "adapter of default-blocks; made of data for non-commercial research",
    "models/agent.gguf": "the agent",
}


def found(pattern, path):
    """The first group of the pattern, which the file must have."""
    match = re.search(pattern, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    if not match:
        raise ValueError(f"{path} has no {pattern}")
    return match[1]


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def component(kind, name, version, purl, **more):
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl, **more}


def hashes(sha256):
    return [{"alg": "SHA-256", "content": sha256}]


def llama():
    version = found(r"^version=(\S+)", "tools/fetch_llama.sh")
    return component(
        "library", "llama.cpp", version, f"pkg:pypi/llama-cpp-python@{version}",
        description="with ggml, from the source in the sdist of llama-cpp-python",
        hashes=hashes(found(r"^sha256=(\w+)", "tools/fetch_llama.sh")), licenses=[{"license": {"id": "MIT"}}],
    )  # fmt: skip


def language_model():
    source = "src/models/base_model.cpp"
    package, version = found(r'kPackage = "([^"]+)"', source).split("==")
    return component(
        "machine-learning-model", "SmolLM2-135M-Instruct", version, f"pkg:pypi/{package}@{version}",
        description="the LLM of the default models, fetched by `rsd model fetch`; the hash is that of its GGUF file",
        hashes=hashes(found(r'kModelHash =\s+"(\w+)"', source)), licenses=[{"license": {"id": "Apache-2.0"}}],
    )  # fmt: skip


def project_file(path, description):
    digest = hashlib.sha256((ROOT / path).read_bytes()).hexdigest()
    return component(
        "machine-learning-model", pathlib.Path(path).name, digest[:12], f"pkg:generic/rsd/{path}@{digest[:12]}",
        description=description, hashes=hashes(digest),
    )  # fmt: skip


def loaded_libraries(file):
    """Real paths of the shared libraries that the dynamic linker finds for it."""
    lines = output("ldd", str(file)).splitlines()
    missing = [line.strip() for line in lines if "not found" in line]
    if missing or not lines:
        raise ValueError(f"{file} can't be loaded: {'; '.join(missing) or 'ldd does not know it'}")
    paths = (re.search(r"=> (/\S+)", line) for line in lines)
    return {os.path.realpath(match[1]) for match in paths if match}


def package_of(path):
    """The Debian package that a file belongs to; /lib is a link to /usr/lib, and dpkg knows either name."""
    for name in (path, path.removeprefix("/usr")):
        owner = output("dpkg-query", "--search", name)
        if owner:
            return owner.split(":")[0]
    return None


def debian(package, **more):
    version = output("dpkg-query", "--show", "--showformat=${Version}", package)
    if not version:
        raise ValueError(f"the package {package} is not installed")
    quoted = urllib.parse.quote(version, safe="~")
    return component("library", package, version, f"pkg:deb/debian/{package}@{quoted}", **more)


def debian_components(files):
    packages = set()
    for path in sorted(set().union(*map(loaded_libraries, files))):
        package = package_of(path)
        if package:
            packages.add(package)
        elif not pathlib.Path(path).name.startswith(("librsd", "libllama", "libggml")):
            raise ValueError(f"{path} belongs to no package")
    headers = [debian(name, licenses=[{"license": {"id": licence}}]) for name, licence in HEADERS_ONLY.items()]
    return [debian(name) for name in sorted(packages)] + headers


def bill(files):
    version = found(r"^project\(rsd VERSION (\S+)", "CMakeLists.txt")
    components = [llama(), language_model(), *(project_file(*each) for each in PROJECT_FILES.items()), *debian_components(files)]
    content = json.dumps(components, sort_keys=True)
    main = component("application", "rsd", version, f"pkg:generic/rsd@{version}", licenses=[{"license": {"id": "Apache-2.0"}}])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}",
        "version": 1,
        "metadata": {"component": main, "tools": [{"name": "make_sbom.py"}]},
        "components": components,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": [each["bom-ref"] for each in components]}],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rsd", type=pathlib.Path, help="the program")
    parser.add_argument("--lib", type=pathlib.Path, nargs="+", default=[], help="shared libraries that are shipped with it")
    options = parser.parse_args()
    for file in [options.rsd, *options.lib]:
        if not file.is_file():
            parser.error(f"{file} is not a file")
    try:
        print(json.dumps(bill([options.rsd, *options.lib]), indent=2))
    except ValueError as fault:
        sys.exit(f"make_sbom: error: {fault}")


if __name__ == "__main__":
    main()
