package hostile

import (
	"fmt"
	"slices"
)

// scraps are hardly files.
func scraps(g *group) {
	for _, w := range wholes() {
		g.add("empty-"+w.name, Refused422, nil)
		g.add("byte-"+w.name, refused, w.data[:1])
		for _, n := range []int{2, 3, 4, 6, 8, 12, 16, 24, 32} {
			g.add(fmt.Sprintf("first-%02d-%s", n, w.name), refused, w.data[:n])
		}
		g.add("zeros-"+w.name, refused, append(slices.Clone(w.data[:12]), make([]byte, 5000)...))
		for n, length := range []int{10, 100, 1000, 10_000} {
			noise := bytesOf(random(fmt.Sprint(w.name, n)), length)
			g.add(fmt.Sprintf("noise-%05d-%s", length, w.name), refused, append(slices.Clone(w.data[:12]), noise...))
			g.add(fmt.Sprintf("noise-late-%05d-%s", length, w.name), Accepted|refused,
				append(slices.Clone(w.data[:len(w.data)/3]), noise...))
		}
		for _, format := range wholes() {
			// The beginning of one and the rest of another.
			g.add(fmt.Sprintf("joined-%s-%s.%s", w.name, format.name, w.extension), Accepted|refused,
				slices.Concat(w.data[:len(w.data)/2], format.data[len(format.data)/2:]))
		}
	}
	g.add("zero.jpg", Refused415, []byte{0})
	g.add("zeros.jpg", Refused415, make([]byte, 100_000))
	g.add("ones.jpg", Refused415|Refused422, slices.Repeat([]byte{255}, 100_000))
	g.add("noise.jpg", Refused415, append([]byte{0}, bytesOf(random("noise"), 50_000)...))
}

// truncations cuts every kind of picture at every hundredth of its length.
func truncations(g *group) {
	for _, w := range wholes() {
		for percent := range 100 {
			n := len(w.data) * percent / 100
			want := Refused422 | w.optional
			switch {
			case n == 0:
				want = Refused422
			case n < 16:
				want = refused
			case len(w.data)-n <= w.trailer:
				want |= Accepted
			}
			g.add(fmt.Sprintf("%02d-%s", percent, w.name), want, w.data[:n])
		}
		g.add("last-"+w.name, Refused422|w.optional|map[bool]Want{true: Accepted}[w.trailer > 0], w.data[:len(w.data)-1])
	}
}

// flipsOfEach is how many files with flipped bits are made of every kind of picture.
const flipsOfEach = 80

// flips turns one bit, and then up to a dozen, in every kind of picture; most at its beginning, where the structure is.
func flips(g *group) {
	for _, w := range wholes() {
		r := random(w.name)
		for i := range flipsOfEach {
			data := slices.Clone(w.data)
			reach := len(data)
			if i%2 == 0 {
				reach = min(reach, 400)
			}
			for range 1 + i/16*3 {
				data[r.IntN(reach)] ^= 1 << r.IntN(8)
			}
			g.add(fmt.Sprintf("%02d-%s", i, w.name), Accepted|refused, data)
		}
	}
}
