package cli

import (
	"cmp"
	"strings"
	"unicode"
)

// The ways to print a picture.
const (
	formatURL      = "url"
	formatMarkdown = "markdown"
	formatJSON     = "json"
)

func formats() []string { return []string{formatURL, formatMarkdown, formatJSON} }

// format is a picture as one line.
func format(as string, p stored) string {
	switch as {
	case formatJSON:
		return string(p.document)
	case formatMarkdown:
		return "![" + escapeMarkdown(strings.Join(strings.Fields(cmp.Or(p.Description, p.Title, p.Filename)), " ")) + "](" + p.URL + ")"
	}
	return p.URL
}

// escapeMarkdown keeps what means something to CommonMark from meaning it. A "_" within a word means nothing.
func escapeMarkdown(text string) string {
	var b strings.Builder
	runes := []rune(text)
	word := func(i int) bool {
		return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsNumber(runes[i]))
	}
	for i, r := range runes {
		if strings.ContainsRune("\\[]()<>&*`~|", r) || r == '_' && !(word(i-1) && word(i+1)) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
