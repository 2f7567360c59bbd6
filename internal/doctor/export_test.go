package doctor

import "time"

// Hurried returns the Doctor with small pages and another time between its two looks.
func Hurried(d *Doctor, page int, settle time.Duration) *Doctor {
	d.page, d.settle = page, settle
	return d
}
