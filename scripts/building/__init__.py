"""What `sam build` runs for each function and layer: `python -m scripts.building`, from the project's folder.

SAM's own Python builder needs the target's Python on this machine; this one needs any Python, since wheels are chosen
for the target: its architecture, its version, and the C library of Lambda.
"""
