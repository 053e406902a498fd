"""The local stack: the real template.yaml on an AWS emulator of this machine, behind http://localhost:8086.

    stack.py             composes the rest; `with LocalStack() as stack` is how tests use it
    emulator.py          starts and stops the emulator's process; its folders, its environment
    emulator_process.py  what runs in that process
    gaps.py              every way in which the emulator differs from AWS, and what we do about it
    gaps_inside.py       the part of it that happens in the emulator's process
    cloudformation.py    template.yaml read as data; parameters set
    package.py           what `make build` makes, for this machine: functions as zips, the layer unpacked
    deploy.py            zips and template to the emulator; what came of it
    authorised_calls.py  what functions ask AWS for, for the test that compares it with their policies
    front.py             the address users see: plain paths, no stage, no API id
    function_logs.py     what the functions log, for the terminal
    demo/                the show: the service's main job, seen from outside (`make demo`)
    running.py           where the stack listens, for other processes
    processes.py         the functions' processes, for tests that kill one
    token.py             JWTs for the local stack and for deployed ones (`make token`)

Nothing here runs on AWS.
"""
