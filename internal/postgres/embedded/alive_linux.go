package embedded

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// serverAlive tells whether process pid is a PostgreSQL server that works in the folder data. A zombie is not.
func serverAlive(pid int, data string) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(proc + "/stat")
	if err != nil {
		return false
	}
	// The line is: pid (name) state …, and the name may itself hold parentheses.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 || end+2 >= len(stat) || strings.ContainsRune("ZX", rune(stat[end+2])) {
		return false
	}
	want, err := os.Stat(data)
	if err != nil {
		return false
	}
	// A server enters its folder before it writes its pid file. Where we may not look, the name has to do.
	if got, err := os.Stat(proc + "/cwd"); err == nil {
		return os.SameFile(got, want)
	}
	return bytes.Contains(stat[:end], []byte("(postgres"))
}
