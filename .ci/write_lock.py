"""Write the packages that pip would install, with their hashes, from its report on stdin."""

import json
import sys

packages = []
for item in json.load(sys.stdin)["install"]:
    name, version = item["metadata"]["name"], item["metadata"]["version"]
    info = item["download_info"].get("archive_info")
    if info is not None:  # all but this project
        packages.append(f"{name}=={version} --hash=sha256:{info['hashes']['sha256']}")
print("\n".join(sorted(packages, key=str.lower)))
