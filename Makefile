# Kadr's tasks. `make help` lists them. Each installs what it lacks (.ci/setup), so all work on a fresh machine.
# Plain sh, and nothing that GNU make 3.81 (macOS's) doesn't know.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# libvips is linked by cgo.
export CGO_ENABLED := 1

# The tools' versions are pinned in modules of their own, so that they never weigh on the server's.
oapi_codegen := go tool -modfile=../.tools/go.mod oapi-codegen
golangci_lint := go tool -modfile=.tools/golangci-lint/go.mod golangci-lint
actionlint := go tool -modfile=.tools/actionlint/go.mod actionlint
air := go tool -modfile=.tools/dev/go.mod air
dlv := go tool -modfile=.tools/dev/go.mod dlv
node_bin := api/node_modules/.bin
# A module of its own, so that Go's ./... leaves the Go code in npm's packages alone. It also marks a whole install.
node_modules := api/node_modules/go.mod
lighthouse_modules := .tools/lighthouse/node_modules/go.mod
schemathesis := .tools/schemathesis/venv/bin/schemathesis

# Our own stamp instead of Go's: Go fails where git refuses a checkout that belongs to somebody else.
version = $$([ -e .git ] && git describe --tags --always --dirty 2>/dev/null || echo dev)
go_build = go build -trimpath -buildvcs=false -ldflags "-X main.version=$(version)" -o bin/kadr ./cmd/kadr

ARGS ?=
BENCH ?= ./internal/bench
scripts := deploy/k8s/apply deploy/release/binary deploy/release/image deploy/release/index deploy/release/login \
  deploy/release/notes deploy/release/publish deploy/server/deploy deploy/server/update nginx/start nginx/compress \
  .tools/openapi-generator/run $(wildcard api/clients/*/generate api/clients/*/story) \
  static/integrations/curl.sh static/integrations/screenshot.sh static/integrations/typora.sh
CRASH_ROUNDS ?= 20
# The generated clients: a folder of api/clients each.
LANGUAGES ?= $(notdir $(patsubst %/generate,%,$(wildcard api/clients/*/generate)))
DEBUG_ADDR ?= 127.0.0.1:2345
# Where LiveServer shows the pages. Only while developing: a server trusts nobody by default.
live_server := http://localhost:5500,http://127.0.0.1:5500

##@ Use

.PHONY: help
help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z][a-z0-9-]*:.*## / { printf "  make %-16s %s\n", $$1, $$2 } \
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
test: $(node_modules) ## every Go and JavaScript test (PKGS=./internal/blob/... ARGS='-run Commit' for a part)
	@.ci/setup test
	@.ci/test $(ARGS)

.PHONY: test-crash
test-crash: ## kill -9 in the middle of uploads, CRASH_ROUNDS times
	@.ci/setup test
	@KADR_CRASH_ROUNDS=$(CRASH_ROUNDS) go run ./internal/testdb/run -- \
	  go test -run Crash -count 1 -timeout 30m -v $(ARGS) ./internal/app/...

.PHONY: contract
contract: lint-contract ## the contract: generated files current, valid, kept to by every exchange of the tests, and conformance
	@.ci/setup dev
	@.ci/generated
	@PKGS='./api/... ./internal/httpapi/...' RACE= .ci/test
	@$(MAKE) --no-print-directory conformance

.PHONY: conformance
conformance: $(schemathesis) ## Schemathesis, which knows the contract alone, against the server; into build/contract (ARGS='-examples 200' for more)
	@$(go_build)
	@go run ./internal/conformance $(ARGS)

.PHONY: breaking
breaking: ## what in the contract would break programs written for the last release (BASE=commit for another one)
	@.ci/breaking

.PHONY: contract-changes
contract-changes: ## what changed in the contract since the last release, as text for CHANGELOG.md
	@.ci/breaking changelog

.PHONY: test-clients
test-clients: ## every client (see clients), compiled and used against a real instance (LANGUAGES=go for some)
	@.ci/setup clients
	@$(go_build)
	@go run ./internal/clienttest -kadr bin/kadr $(LANGUAGES)

.PHONY: test-e2e
test-e2e: ## the whole of it, as people meet it: pages in a browser, and the gateway
	@.ci/setup test
	@PKGS='./internal/app/...test ./internal/nginxtest' RACE= .ci/test $(ARGS)

.PHONY: test-k8s
test-k8s: ## the manifests in deploy/k8s, decoded strictly and wired rightly
	@cd deploy/k8s && go test $(ARGS) ./...

.PHONY: lint
lint: lint-go lint-js lint-contract lint-workflows ## what a reviewer should not have to say: Go, JavaScript, contract, shell, workflows
	@shellcheck .ci/setup .ci/run .ci/test .ci/verify .ci/generated .ci/lint-contract .ci/breaking $(scripts)

.PHONY: lint-go
lint-go: setup-dev
	@go vet ./...
	@$(golangci_lint) run ./...
	@cd deploy/k8s && go vet ./... && go tool -modfile=../../.tools/golangci-lint/go.mod golangci-lint run ./...

# The scripts in the workflows too, by shellcheck.
.PHONY: lint-workflows
lint-workflows: setup-dev
	@$(actionlint) .github/workflows/*.yml

.PHONY: lint-js
lint-js: $(node_modules)
	@$(node_bin)/eslint --config api/eslint.config.js api static
	@$(node_bin)/tsc --project api/tsconfig.json

# Redocly, Spectral with OWASP's rules, oasdiff.
.PHONY: lint-contract
lint-contract: $(node_modules)
	@.ci/lint-contract

.PHONY: verify
verify: ## all that a change must pass: generated files current, formatted, linted, tested
	@.ci/verify

.PHONY: bench
bench: ## Kadr beside the limit, in one run, as ratios
	@.ci/setup test
	@$(go_build)
	@go run $(BENCH) $(ARGS)

# Speed again, so not part of verify.
.PHONY: lighthouse
lighthouse: $(lighthouse_modules) ## Lighthouse's judgement of the pages behind nginx, beside the goals; reports into build/lighthouse
	@$(go_build)
	@go run ./internal/lighthouse -chromium "$${KADR_CHROMIUM:-}" $(ARGS)

.PHONY: screenshots
screenshots: ## every page, light and dark, on a phone and a desktop, into build/screenshots (PHOTOS=folder for your own pictures)
	@.ci/setup test
	@rm -rf build/screenshots
	@KADR_SCREENSHOTS='$(CURDIR)/build/screenshots' KADR_TEST_PHOTOS='$(if $(PHOTOS),$(abspath $(PHOTOS)))' \
	  PKGS=./internal/app/browsertest RACE= .ci/test -count 1 -run 'TestPages/EveryPage' $(ARGS)

# What the workflows in .github/ run: see the scripts. VERSION is the tag, such as v1.2.3.
##@ Release

.PHONY: release-notes
release-notes: ## what CHANGELOG.md says of VERSION, into build/release/notes.md
	@deploy/release/notes

.PHONY: release-binary
release-binary: ## this machine's kind of binary, with its bill of materials, into build/release
	@.ci/setup build
	@deploy/release/binary

.PHONY: release-login
release-login: ## sign in to REGISTRY as REGISTRY_USER, by REGISTRY_PASSWORD
	@deploy/release/login

.PHONY: release-image
release-image: ## the image TARGET (app or gateway) for this machine's platform, pushed by digest to REGISTRY
	@deploy/release/image

.PHONY: release-index
release-index: ## one name for both platforms' images: REGISTRY/kadr:VERSION
	@deploy/release/index

.PHONY: release-publish
release-publish: ## checksums of build/release, and a draft of the release
	@deploy/release/publish

.PHONY: deploy
deploy: ## VERSION to the server DEPLOY_HOST by SSH, and back when it does not get healthy
	@deploy/server/deploy

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

.PHONY: clients
clients: ## clients in other languages, into build/clients (LANGUAGES="python java" for some)
	@.ci/setup clients
	@for language in $(LANGUAGES); do api/clients/$$language/generate || exit 1; done

.PHONY: fmt
fmt: ## gofumpt, with the imports in three groups
	@$(golangci_lint) fmt

.PHONY: fmt-check
fmt-check:
	@$(golangci_lint) fmt --diff

.PHONY: clean
clean: ## remove what was built; never the data
	@rm -rf bin build api/node_modules .tools/lighthouse/node_modules .tools/schemathesis/venv __debug_bin*

.PHONY: setup-dev
setup-dev:
	@.ci/setup dev

.PHONY: setup-test
setup-test:
	@.ci/setup test

.PHONY: setup-contract
setup-contract:
	@.ci/setup contract

$(lighthouse_modules): .tools/lighthouse/package.json .tools/lighthouse/package-lock.json .tools/lighthouse/.npmrc | setup-test
	@cd .tools/lighthouse && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@echo 'module ignored' >$@

# pip takes nothing but what requirements.txt has the hash of. Made anew from requirements.in with pip-tools:
# pip-compile --generate-hashes --strip-extras --no-header --no-annotate
$(schemathesis): .tools/schemathesis/requirements.txt | setup-contract
	@rm -rf .tools/schemathesis/venv
	@python3 -m venv .tools/schemathesis/venv
	@.tools/schemathesis/venv/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r $<
	@touch $@

$(node_modules): api/package.json api/package-lock.json api/.npmrc | setup-test
	@cd api && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	@echo 'module ignored' >$@
