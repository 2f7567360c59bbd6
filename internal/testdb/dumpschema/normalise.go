package main

import (
	"bytes"
	"regexp"
	"strings"
)

const header = "-- The schema that db/migrations make, as pg_dump tells it. Written by make generate; do not edit.\n"

// noise matches the lines that say nothing about the schema: comments, psql's commands, settings of the session.
var noise = regexp.MustCompile(`^(--|\\|SET |SELECT pg_catalog\.set_config\()`)

// dollarQuote matches what opens and closes the body of a function.
var dollarQuote = regexp.MustCompile(`\$[A-Za-z_0-9]*\$`)

// normalise removes the noise outside of functions' bodies, and all but one of consecutive empty lines.
func normalise(dump []byte) []byte {
	var out bytes.Buffer
	out.WriteString(header)
	body := "" // the quote that ends the function's body we are in
	empty := true
	out.WriteByte('\n')
	for line := range strings.Lines(string(dump)) {
		line = strings.TrimRight(line, "\r\n")
		if body == "" && (noise.MatchString(line) || (line == "" && empty)) {
			continue
		}
		for _, quote := range dollarQuote.FindAllString(line, -1) {
			switch body {
			case "":
				body = quote
			case quote:
				body = ""
			}
		}
		empty = line == ""
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return append(bytes.TrimRight(out.Bytes(), "\n"), '\n')
}
