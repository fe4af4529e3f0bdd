"""What the `minigpt` command does: one module a command, each with `run(args) -> exit code`."""
