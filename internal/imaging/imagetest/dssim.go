// Package imagetest measures how different two pictures look, and paints pictures like photographs. For tests and the bench.
package imagetest

import (
	"image"
	"image/color"
	"math"
)

// DSSIM returns the structural dissimilarity 1/MS-SSIM − 1 of two pictures of the same size: 0 when they look alike, about
// 0.001 where an eye that knows where to look sees a difference, more than 0.02 where it is plain. It returns +Inf when
// the sizes differ.
//
// MS-SSIM is that of Z. Wang, E. P. Simoncelli and A. C. Bovik, "Multiscale structural similarity for image quality
// assessment", Asilomar Conference on Signals, Systems and Computers, 2003: five scales, their weights, a Gaussian window.
// It is taken of the three channels of CIE L*a*b*, lightness counting for most. What is transparent lies on a chequerboard,
// so that alpha counts too. A picture too small for all scales is compared at those that it has.
func DSSIM(a, b image.Image) float64 {
	if a.Bounds().Size() != b.Bounds().Size() {
		return math.Inf(1)
	}
	x, y := newPlanes(a), newPlanes(b)
	product, weights := 1.0, 0.0
	for scale, weight := range scaleWeights {
		last := scale == len(scaleWeights)-1 || min(x.width, x.height) < 4*window
		full, structure := 0.0, 0.0
		p, q := x.lab(), y.lab()
		for c, share := range channelWeights {
			f, s := compare(p[c], q[c], x.width, x.height)
			full, structure = full+share*f, structure+share*s
		}
		if last {
			// What a smaller scale would have weighed counts here.
			product *= math.Pow(max(full, 1e-9), 1-weights)
			break
		}
		product *= math.Pow(max(structure, 1e-9), weight)
		weights += weight
		x, y = x.halved(), y.halved()
	}
	return 1/product - 1
}

var (
	scaleWeights   = [...]float64{0.0448, 0.2856, 0.3001, 0.2363, 0.1333}
	channelWeights = [...]float64{0.7, 0.15, 0.15}
)

const (
	window = 5 // the radius of the Gaussian window
	sigma  = 1.5
)

// planes are linear RGB, 0 to 1.
type planes struct {
	width, height int
	rgb           [3][]float64
}

func newPlanes(m image.Image) planes {
	b := m.Bounds()
	p := planes{width: b.Dx(), height: b.Dy()}
	for c := range p.rgb {
		p.rgb[c] = make([]float64, p.width*p.height)
	}
	for y := range p.height {
		for x := range p.width {
			pixel := color.NRGBAModel.Convert(m.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			board := float64((x/8 + y/8) % 2)
			alpha := float64(pixel.A) / 255
			for c, v := range [3]uint8{pixel.R, pixel.G, pixel.B} {
				p.rgb[c][y*p.width+x] = alpha*linear(v) + (1-alpha)*board
			}
		}
	}
	return p
}

// linear undoes sRGB's gamma.
func linear(v uint8) float64 {
	f := float64(v) / 255
	if f <= 0.04045 {
		return f / 12.92
	}
	return math.Pow((f+0.055)/1.055, 2.4)
}

// lab converts to L*a*b* for the D65 white point, all brought to a range of about one.
func (p planes) lab() [3][]float64 {
	var out [3][]float64
	for c := range out {
		out[c] = make([]float64, len(p.rgb[0]))
	}
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	for i := range p.rgb[0] {
		r, g, b := p.rgb[0][i], p.rgb[1][i], p.rgb[2][i]
		x := f((0.4124564*r + 0.3575761*g + 0.1804375*b) / 0.95047)
		y := f(0.2126729*r + 0.7151522*g + 0.0721750*b)
		z := f((0.0193339*r + 0.1191920*g + 0.9503041*b) / 1.08883)
		out[0][i], out[1][i], out[2][i] = 1.16*y-0.16, 0.5+2.5*(x-y), 0.5+1.0*(y-z)
	}
	return out
}

func (p planes) halved() planes {
	h := planes{width: p.width / 2, height: p.height / 2}
	for c := range p.rgb {
		h.rgb[c] = make([]float64, h.width*h.height)
		for y := range h.height {
			for x := range h.width {
				at := 2*y*p.width + 2*x
				h.rgb[c][y*h.width+x] = (p.rgb[c][at] + p.rgb[c][at+1] + p.rgb[c][at+p.width] + p.rgb[c][at+p.width+1]) / 4
			}
		}
	}
	return h
}

// compare returns the mean SSIM of two channels, and that of its contrast and structure alone.
func compare(a, b []float64, width, height int) (full, structure float64) {
	const c1, c2 = 0.01 * 0.01, 0.03 * 0.03
	times := func(p, q []float64) []float64 {
		out := make([]float64, len(p))
		for i := range p {
			out[i] = p[i] * q[i]
		}
		return out
	}
	meanA, meanB := blur(a, width, height), blur(b, width, height)
	aa, bb, ab := blur(times(a, a), width, height), blur(times(b, b), width, height), blur(times(a, b), width, height)
	for i := range a {
		varA, varB, both := aa[i]-meanA[i]*meanA[i], bb[i]-meanB[i]*meanB[i], ab[i]-meanA[i]*meanB[i]
		s := (2*both + c2) / (varA + varB + c2)
		structure += s
		full += s * (2*meanA[i]*meanB[i] + c1) / (meanA[i]*meanA[i] + meanB[i]*meanB[i] + c1)
	}
	return full / float64(len(a)), structure / float64(len(a))
}

// blur weighs each pixel's neighbours by the window; beyond an edge lies what lies at it.
func blur(in []float64, width, height int) []float64 {
	var kernel [2*window + 1]float64
	sum := 0.0
	for i := range kernel {
		d := float64(i - window)
		kernel[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += kernel[i]
	}
	across, out := make([]float64, len(in)), make([]float64, len(in))
	for y := range height {
		for x := range width {
			v := 0.0
			for i, k := range kernel {
				v += k * in[y*width+min(max(x+i-window, 0), width-1)]
			}
			across[y*width+x] = v / sum
		}
	}
	for y := range height {
		for x := range width {
			v := 0.0
			for i, k := range kernel {
				v += k * across[min(max(y+i-window, 0), height-1)*width+x]
			}
			out[y*width+x] = v / sum
		}
	}
	return out
}
