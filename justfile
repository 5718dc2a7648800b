# `just` lists the recipes. Each is a function of tools/tasks, which works without just.

_default:
    @just --list

# Everything that continuous integration runs; installs missing peer programs
check:
    .ci/run

# Formatting and lints
lint:
    tools/tasks lint

# All tests; those whose peer program is missing are skipped
test:
    tools/tasks test

# All tests; a missing peer program is an error
live:
    tools/tasks live

# Build all fuzz targets and run each on its seeds
fuzz:
    tools/tasks fuzz

# Benchmarks of parts of the program
bench *arguments:
    tools/tasks bench {{arguments}}

# Accept changed snapshots and rewrite generated pages
snapshots:
    tools/tasks snapshots

# Redraw assets/screenshots
screens:
    tools/tasks screens

# Check the wording of help, messages, comments and pages
language:
    tools/tasks language
