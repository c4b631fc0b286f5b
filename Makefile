# Each target is one line that works without make as well; see the README.
# Where PYTHONSAFEPATH is set, Python does not look for modules in the folder that it is run in.
UV := PYTHONSAFEPATH= python3 -m tools.uv

.PHONY: setup rehearse test lint bench chaos

setup:  ; $(UV) run python -m tools.setup
rehearse:  ; $(UV) run proself-mail rehearse
test:  ; $(UV) run pytest
lint:  ; $(UV) run python -m tools.lint
bench:  ; $(UV) run python -m bench
chaos:  ; $(UV) run python -m bench.chaos --store
