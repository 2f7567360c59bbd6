// Package static holds the web page: plain HTML, CSS and ES modules that are served exactly as they lie here, each at
// its own path from the root. The binary serves them from Files, nginx from disk, a development server from the folder.
package static

import "embed"

// Files has all of it but what no browser asks for: tests (*.test.mjs), types (*.d.ts), and js/package.json, which only
// tells Node.js that the .js files are ES modules.
//
//go:embed index.html sw.js manifest.webmanifest favicon.svg robots.txt
//go:embed css/*.css icons/*.svg icons/*.png locales/*.json integrations/* js/*.js js/components/*.js js/pages/*.js
var Files embed.FS
