# Kadr's tasks. `make help` lists them. Each installs what it lacks (.ci/setup), so all work on a fresh machine.
# Plain sh, and nothing that GNU make 3.81 (macOS's) doesn't know.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# libvips is linked by cgo.
export CGO_ENABLED := 1

# The tools' versions are pinned in modules of their own, so that they never weigh on the server's.
oapi_codegen := go tool -modfile=../.tools/go.mod oapi-codegen
golangci_lint := go tool -modfile=.tools/golangci-lint/go.mod golangci-lint
air := go tool -modfile=.tools/dev/go.mod air
dlv := go tool -modfile=.tools/dev/go.mod dlv
node_bin := api/node_modules/.bin
# A module of its own, so that Go's ./... leaves the Go code in npm's packages alone. It also marks a whole install.
node_modules := api/node_modules/go.mod

# Our own stamp instead of Go's: Go fails where git refuses a checkout that belongs to somebody else.
version = $$([ -e .git ] && git describe --tags --always --dirty 2>/dev/null || echo dev)
go_build = go build -trimpath -buildvcs=false -ldflags "-X main.version=$(version)" -o bin/kadr ./cmd/kadr

ARGS ?=
BENCH ?= ./internal/bench
CRASH_ROUNDS ?= 20
DEBUG_ADDR ?= 127.0.0.1:2345
# Where LiveServer shows the pages. Only while developing: a server trusts nobody by default.
live_server := http://localhost:5500,http://127.0.0.1:5500

##@ Use

.PHONY: help
help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z-]*:.*## / { printf "  make %-11s %s\n", $$1, $$2 } \
	  END { print "" }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## install what is missing, build, serve on http://localhost:8080
	@.ci/setup run
	@$(go_build)
	@exec bin/kadr serve $(ARGS)

.PHONY: build
build: ## leave the program in bin/kadr
	@.ci/setup build
	@$(go_build)

##@ Check

.PHONY: test
test: ## every Go and JavaScript test (PKGS=./internal/blob/... ARGS='-run Commit' for a part)
	@.ci/setup test
	@.ci/test $(ARGS)

.PHONY: test-crash
test-crash: ## kill -9 in the middle of uploads, CRASH_ROUNDS times
	@.ci/setup test
	@KADR_CRASH_ROUNDS=$(CRASH_ROUNDS) go run ./internal/testdb/run -- \
	  go test -run Crash -count 1 -timeout 30m -v $(ARGS) ./internal/app/...

.PHONY: lint
lint: lint-go lint-js ## what a reviewer should not have to say: Go, shell, JavaScript
	@shellcheck .ci/setup .ci/run .ci/test .ci/verify

.PHONY: lint-go
lint-go: setup-dev
	@go vet ./...
	@$(golangci_lint) run ./...

.PHONY: lint-js
lint-js: $(node_modules)
	@$(node_bin)/eslint --config api/eslint.config.js api static
	@$(node_bin)/tsc --project api/tsconfig.json

.PHONY: verify
verify: ## all that a change must pass: generated files current, formatted, linted, tested
	@.ci/verify

.PHONY: bench
bench: ## Kadr beside the limit, in one run, as ratios
	@.ci/setup test
	@$(go_build)
	@go run $(BENCH) $(ARGS)

##@ Write

.PHONY: dev
dev: ## serve, and rebuild on every change (air)
	@.ci/setup run
	@KADR_CORS_ORIGINS="$${KADR_CORS_ORIGINS-$(live_server)}" exec $(air) -c .air.toml $(ARGS)

# What air runs at each change. It leaves out what only a release needs: the look for missing packages, the version, and
# the debugger's tables, which are half of what the linker writes (make debug builds its own). The server's code is made
# from the contract at once; what only others need of it follows while the server starts again.
.PHONY: dev-build
dev-build: gen/server/server.gen.go
	@go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=dev" -o bin/kadr ./cmd/kadr
	@if [ gen/client/client.gen.go -ot gen/server/server.gen.go ]; then \
	  ($(MAKE) --no-print-directory generate-client; \
	   [ ! -e $(node_modules) ] || $(MAKE) --no-print-directory generate-js) & \
	fi

gen/server/server.gen.go: api/openapi.yaml api/server.gen.yaml api/server.overlay.yaml
	@$(MAKE) --no-print-directory generate-server

.PHONY: debug
debug: ## serve under delve, which waits for a debugger on DEBUG_ADDR
	@.ci/setup run
	@mkdir -p build
	@KADR_CORS_ORIGINS="$${KADR_CORS_ORIGINS-$(live_server)}" exec $(dlv) debug ./cmd/kadr --headless --api-version=2 --accept-multiclient --listen=$(DEBUG_ADDR) \
	  --build-flags=-buildvcs=false --output build/kadr-debug -- serve $(ARGS)

.PHONY: generate
generate: generate-go generate-js generate-sql ## what comes from the contract and the migrations

.PHONY: generate-go
generate-go: generate-server generate-client

.PHONY: generate-server
generate-server:
	@mkdir -p gen/server
	@cd api && $(oapi_codegen) --config server.gen.yaml openapi.yaml

.PHONY: generate-client
generate-client:
	@mkdir -p gen/client
	@cd api && $(oapi_codegen) --config client.gen.yaml openapi.yaml

.PHONY: generate-js
generate-js: $(node_modules)
	@mkdir -p gen/browser
	@$(node_bin)/openapi-typescript api/openapi.yaml --output gen/browser/api.d.ts >/dev/null

.PHONY: generate-sql
generate-sql: setup-dev
	@go run ./internal/testdb/dumpschema db/schema.sql

.PHONY: fmt
fmt: ## gofumpt, with the imports in three groups
	@$(golangci_lint) fmt

.PHONY: fmt-check
fmt-check:
	@$(golangci_lint) fmt --diff

.PHONY: clean
clean: ## remove what was built; never the data
	@rm -rf bin build api/node_modules __debug_bin*

.PHONY: setup-dev
setup-dev:
	@.ci/setup dev

$(node_modules): api/package.json api/package-lock.json api/.npmrc | setup-dev
	@cd api && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@echo 'module ignored' >$@
