import subprocess
from tests.tools import tool


def test_x(processed):
    print(processed.returned)
    for k, p in processed.returned.items():
        v = subprocess.run([tool("dciodvfy", "dicom3tools"), "-new", p], capture_output=True, text=True)
        print("==", k)
        print("\n".join(sorted(set((v.stdout + v.stderr).splitlines()))))
    v = subprocess.run(
        [tool("dcentvfy", "dicom3tools"), *processed.received, *processed.returned.values()],
        capture_output=True,
        text=True,
    )
    print("== dcentvfy")
    print("\n".join(sorted(set((v.stdout + v.stderr).splitlines()))))
    import shutil

    shutil.rmtree("/tmp/viewer_case", ignore_errors=True)
    shutil.copytree(processed.config.parent, "/tmp/viewer_case")
