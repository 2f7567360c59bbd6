package imagetest

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Photograph paints a JPEG that resembles a photograph of hills below a sky: soft gradients, edges, and grain. The same
// number gives the same bytes, another number another hour, other hills and other colours.
func Photograph(number uint64, width, height int) []byte {
	draw := rand.New(rand.NewPCG(number, 1)) //nolint:gosec // no secret, and the same each time
	hue := draw.Float64()
	top, bottom := tint(0.55+hue*0.3, 0.55, 0.45+0.4*draw.Float64()), tint(0.02+hue*0.3, 0.35, 0.97)
	sunX, sunY, sunR := draw.Float64(), 0.2+0.3*draw.Float64(), 0.05+0.05*draw.Float64()

	const ridges = 5
	edges, paints := make([][]float64, ridges), make([]shade, ridges)
	for r := range ridges {
		depth := float64(r) / (ridges - 1)
		edges[r] = ridge(draw, width, 0.48+0.4*depth, 0.16-0.08*depth)
		near := tint(0.3+hue*0.3, 0.5, 0.16+0.12*draw.Float64())
		paints[r] = bottom.mix(near, 0.3+0.7*depth)
	}

	m := image.NewRGBA(image.Rect(0, 0, width, height))
	aspect := float64(width) / float64(height)
	for y := range height {
		v := float64(y) / float64(height)
		sky := top.mix(bottom, min(1, v*1.6))
		for x := range width {
			c := sky
			dx, dy := (float64(x)/float64(width)-sunX)*aspect, v-sunY
			glow := math.Exp(-math.Hypot(dx, dy) / (4 * sunR))
			if math.Hypot(dx, dy) < sunR {
				glow = 1
			}
			c = c.mix(shade{255, 248, 225}, glow)
			for r := range ridges {
				if below := v - edges[r][x]; below > 0 {
					c = paints[r].mix(bottom, 0.25*math.Min(1, below*5))
				}
			}
			grain := draw.Float64()*10 - 5
			m.SetRGBA(x, y, color.RGBA{level(c[0] + grain), level(c[1] + grain), level(c[2] + grain), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 82}); err != nil {
		panic(err) // only for sizes that no JPEG has
	}
	return b.Bytes()
}

// ridge is the height of a chain of hills at each column, from 0 at the top of the picture to 1.
func ridge(draw *rand.Rand, width int, level, rise float64) []float64 {
	edge := make([]float64, width)
	for i := range edge {
		edge[i] = level
	}
	for octave := range 6 {
		frequency := math.Pow(2, float64(octave)) * (1 + draw.Float64()) * 2
		phase, high := draw.Float64()*2*math.Pi, rise*math.Pow(0.5, float64(octave))
		for i := range edge {
			edge[i] -= high * math.Sin(phase+frequency*float64(i)/float64(width)*math.Pi)
		}
	}
	return edge
}

// shade is red, green and blue, from 0 to 255.
type shade [3]float64

func (s shade) mix(o shade, part float64) shade {
	for i := range s {
		s[i] += (o[i] - s[i]) * part
	}
	return s
}

// tint is a colour by hue (a turn is 1), saturation and value.
func tint(hue, saturation, value float64) (s shade) {
	for i, offset := range []float64{5, 3, 1} {
		k := math.Mod(offset+6*hue, 6)
		s[i] = 255 * value * (1 - saturation*max(0, min(k, 4-k, 1)))
	}
	return s
}

func level(v float64) uint8 { return uint8(max(0, min(255, v))) }
