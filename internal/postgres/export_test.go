package postgres

import (
	"regexp"
)

// BackedUpTables returns the tables that a backup has, those that it leaves out on purpose, and those that nobody writes to
// at its end.
func BackedUpTables() (dumped, leftOut, paused []string) {
	for _, sql := range pauseTables {
		paused = append(paused, regexp.MustCompile(`[a-z_]+`).FindAllString(sql, -1)...)
	}
	return dumpedTables, leftOutTables, paused
}
