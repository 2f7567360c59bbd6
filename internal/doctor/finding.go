package doctor

import (
	"fmt"
	"strings"
	"time"

	"github.com/kadr-app/kadr/internal/blob"
)

// Kind says what is wrong.
type Kind string

// The kinds.
const (
	// Missing: pictures refer to a blob that has no file. Repair: it is marked as lost, so that their links say so.
	Missing Kind = "missing"
	// Lost: the same, and marked. An upload of the same bytes or a copy from a backup heals it; a repair changes nothing.
	Lost Kind = "lost"
	// Damaged: a blob's file does not hold the bytes it is named after. Repair: into the quarantine, marked as lost.
	Damaged Kind = "damaged"
	// FoundAgain: a blob is marked as lost and its file is sound. Repair: the mark goes.
	FoundAgain Kind = "found_again"
	// WrongSize: a blob's file is sound, and its row has another size on record. Repair: the row is corrected.
	WrongSize Kind = "wrong_size"
	// Unreferenced: a blob that neither a picture nor an upload refers to. Repair: it is removed.
	Unreferenced Kind = "unreferenced"
	// Orphan: a blob's or a variant's file that no row knows. Repair: it is removed, with all variants of the blob.
	Orphan Kind = "orphan"
	// Stray: a file that is neither a blob nor a variant. It is never touched, since it may be anything.
	Stray Kind = "stray"
	// WrongUsage: an account's record of what it uses is not what its pictures add up to. Repair: it is added up anew.
	WrongUsage Kind = "usage"
)

// Finding is one thing that is wrong. Its String is a sentence or two for the terminal.
type Finding struct {
	Kind Kind
	Ref  blob.Ref // the blob; zero for Stray and WrongUsage
	// Images are the first MaxImages of the References pictures that need the blob.
	Images     []ImageRef
	References int64
	Account    string // the account's name, with WrongUsage
	Path       string // of the file that it is about, slash-separated and below the storage's folder; else empty
	Detail     string // what exactly was seen, a clause without a full stop
	// Blocked says why a repair that was asked for was not done, as a sentence; else empty.
	Blocked  string
	Repaired bool
}

// String says what is wrong, what it means and what to do about it, on one line.
func (f Finding) String() string {
	said := f.meaning()
	var then string
	switch {
	case f.Repaired:
		then = "Repaired: " + f.repair() + "."
	case f.Blocked != "":
		then = f.Blocked
	default:
		then = f.advice()
	}
	return string(f.Kind) + ": " + said + ". " + then
}

func (f Finding) meaning() string {
	switch f.Kind {
	case Missing:
		return fmt.Sprintf("the file %s is not there, and %s", f.Path, f.needs())
	case Lost:
		return fmt.Sprintf("the file %s has been lost %s, and %s", f.Path, f.Detail, f.needs())
	case Damaged:
		return fmt.Sprintf("the file %s is damaged (%s), and %s", f.Path, f.Detail, f.needs())
	case FoundAgain:
		return fmt.Sprintf("the file %s was lost (%s) and is sound again, and %s", f.Path, f.Detail, f.needs())
	case WrongSize:
		return fmt.Sprintf("the file %s is sound, but %s", f.Path, f.Detail)
	case Unreferenced:
		return fmt.Sprintf("no picture needs the file %s any more", f.Path)
	case Orphan:
		return fmt.Sprintf("the database does not know the file %s (%s)", f.Path, f.Detail)
	case Stray:
		return fmt.Sprintf("the file %s (%s) is not Kadr's", f.Path, f.Detail)
	case WrongUsage:
		return fmt.Sprintf("the record of what the account %s uses is wrong: %s", f.Account, f.Detail)
	default:
		return f.Detail
	}
}

func (f Finding) advice() string {
	switch f.Kind {
	case Missing:
		return "Put it back from a backup; or repair, and links to it say honestly that it is lost."
	case Lost:
		return "Upload the same file again, or put it back from a backup and repair, or delete the picture."
	case Damaged:
		return "Put a sound copy in its place; or repair, and it moves to the quarantine and links to it say that it is lost."
	case FoundAgain:
		return "Repair, and it no longer counts as lost."
	case WrongSize:
		return "Repair, and the record is corrected."
	case Unreferenced:
		return "It takes up room and does no harm: the running server removes it in time, and so does a repair."
	case Orphan:
		return "After an old copy of the database was put back, it may belong to a picture that is not in it: keep a copy " +
			"then. The running server removes it in time, and so does a repair."
	case Stray:
		return "It is never removed: look what it is, and move it elsewhere."
	case WrongUsage:
		return "Repair, and it is added up anew."
	default:
		return ""
	}
}

func (f Finding) repair() string {
	switch f.Kind {
	case Missing:
		return "links to it now say that it is lost; upload the same file again, or delete the picture"
	case Damaged:
		return "it is in the quarantine now and links to it say that it is lost; upload the same file again, or delete the picture"
	case FoundAgain:
		return "it no longer counts as lost"
	case WrongSize:
		return "the record is corrected"
	case Unreferenced, Orphan:
		return "it is removed"
	case WrongUsage:
		return "it was added up anew"
	case Lost, Stray:
	}
	return ""
}

// shownImages is how many pictures a sentence names.
const shownImages = 3

// needs says which pictures need the blob: "the picture x of anna needs it".
func (f Finding) needs() string {
	names := make([]string, 0, shownImages)
	for _, img := range f.Images[:min(len(f.Images), shownImages)] {
		names = append(names, fmt.Sprintf("%s of %s", img.ID, img.AccountName))
	}
	list := strings.Join(names, ", ")
	if f.References == 1 {
		return "the picture " + list + " needs it"
	}
	if more := f.References - int64(len(names)); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%d pictures need it: %s", f.References, list)
}

func since(t time.Time) string { return "since " + t.UTC().Format(time.RFC3339) }

// Summary is the sum of an examination.
type Summary struct {
	Blobs    int64 // rows examined
	Bytes    int64 // what these say they have
	Variants int64 // files seen
	Accounts int64 // whose usage was added up
	Findings int64
	Repaired int64 // of the findings
}

// Clean reports whether nothing was found. What was repaired was found: `kadr doctor` exits with an error even then, so
// that whoever runs it every night hears of a disk that forgets.
func (s Summary) Clean() bool { return s.Findings == 0 }

// String says it in a sentence or two.
func (s Summary) String() string {
	text := fmt.Sprintf("Examined %d files (%d bytes), %d variants and %d accounts: ", s.Blobs, s.Bytes, s.Variants, s.Accounts)
	switch {
	case s.Clean():
		return text + "nothing is wrong."
	case s.Repaired == s.Findings:
		return text + fmt.Sprintf("%d found, all repaired.", s.Findings)
	default:
		return text + fmt.Sprintf("%d found, %d repaired.", s.Findings, s.Repaired)
	}
}
