package embedded

import (
	"fmt"
	"slices"
	"strings"
)

// preferredMajor is what the advice names where a package's name carries a version.
const preferredMajor = 17

// installHint says how to install PostgreSQL's server on this system: of the given major version, or of any usable one
// when it is 0. osRelease is the content of /etc/os-release.
func installHint(goos, osRelease string, major int) string {
	version := major
	if version == 0 {
		version = preferredMajor
	}
	var command, note string
	switch family := family(goos, osRelease); family {
	case "debian":
		command = "sudo apt-get install postgresql"
		if major != 0 {
			command = fmt.Sprintf("sudo apt-get install postgresql-%d", major)
		}
		note = " (where the distribution has no such version, add the repository of https://apt.postgresql.org first)"
	case "fedora":
		command = "sudo dnf install postgresql-server"
		if major != 0 {
			command = fmt.Sprintf("sudo dnf install postgresql%d-server", major)
		}
		note = " (where the distribution has no such version, add the repository of https://yum.postgresql.org first)"
	case "suse":
		command = fmt.Sprintf("sudo zypper install postgresql%d-server", version)
	case "alpine":
		command = fmt.Sprintf("apk add postgresql%d", version)
	case "arch":
		command = "sudo pacman -S postgresql"
	case "darwin":
		command = fmt.Sprintf("brew install postgresql@%d", version)
	default:
		return fmt.Sprintf("Install the server of PostgreSQL %s from your system's packages or from "+
			"https://www.postgresql.org/download/, or give the address of a running one in KADR_DATABASE_URL.", atLeast(major))
	}
	return fmt.Sprintf("Install it by: %s%s; or give the address of a running server in KADR_DATABASE_URL.", command, note)
}

func atLeast(major int) string {
	if major != 0 {
		return fmt.Sprint(major)
	}
	return fmt.Sprintf("%d or newer", MinMajor)
}

// family names the packaging family of a system.
func family(goos, osRelease string) string {
	if goos != "linux" {
		return goos
	}
	var ids []string
	for line := range strings.Lines(osRelease) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			ids = append(ids, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	families := []struct {
		name string
		ids  []string
	}{
		{"debian", []string{"debian", "ubuntu"}},
		{"fedora", []string{"fedora", "rhel", "centos"}},
		{"suse", []string{"suse", "opensuse"}},
		{"alpine", []string{"alpine"}},
		{"arch", []string{"arch"}},
	}
	for _, family := range families {
		if slices.ContainsFunc(family.ids, func(id string) bool { return slices.Contains(ids, id) }) {
			return family.name
		}
	}
	return ""
}
