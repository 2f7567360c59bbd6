// Package barevips is the limit that rendering is measured by: libvips in a loop, with nothing around it. It decodes JPEGs
// with the largest shrink-on-load that leaves enough pixels, resizes, and encodes into memory, on one thread.
//
// It shares no code with Kadr's own way to libvips (internal/imaging/vips), or it would hide what that costs.
package barevips

/*
#cgo pkg-config: vips
#include <vips/vips.h>

static int
start(void)
{
	if (vips_init("bench"))
		return -1;
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	return 0;
}

static int
encode(VipsImage *in, int webp, int quality, int effort, void **out, size_t *length)
{
	if (webp)
		return vips_webpsave_buffer(in, out, length, "Q", quality, "effort", effort, "strip", TRUE, NULL);
	return vips_jpegsave_buffer(in, out, length, "Q", quality, "interlace", TRUE, "optimize_coding", TRUE, "strip", TRUE, NULL);
}

static int
render(const void *data, size_t size, int width, int webp, int quality, int effort, void **out, size_t *length)
{
	VipsImage *t[4] = {0};
	VipsImage *last;
	int shrink, result = -1;

	if (vips_jpegload_buffer((void *) data, size, &t[0], NULL))
		return -1;
	for (shrink = 8; shrink > 1 && t[0]->Xsize / shrink < width; shrink /= 2)
		;
	if (vips_jpegload_buffer((void *) data, size, &t[1], "access", VIPS_ACCESS_SEQUENTIAL, "shrink", shrink,
			"fail_on", VIPS_FAIL_ON_TRUNCATED, NULL) ||
		vips_resize(t[1], &t[2], (double) width / t[1]->Xsize, NULL))
		goto done;
	last = t[2];
	if (vips_image_get_typeof(last, VIPS_META_ICC_NAME) != 0) {
		if (vips_icc_transform(last, &t[3], "srgb", "embedded", TRUE, NULL))
			goto done;
		last = t[3];
	}
	result = encode(last, webp, quality, effort, out, length);
done:
	for (int i = 0; i < 4; i++)
		if (t[i])
			g_object_unref(t[i]);
	return result;
}

static int
progressive(const void *data, size_t size, void **out, size_t *length)
{
	VipsImage *in;
	int result;

	if (vips_jpegload_buffer((void *) data, size, &in, "access", VIPS_ACCESS_SEQUENTIAL, NULL))
		return -1;
	result = vips_jpegsave_buffer(in, out, length, "Q", 90, "interlace", TRUE, "optimize_coding", TRUE, NULL);
	g_object_unref(in);
	return result;
}

static void
release(void *data)
{
	g_free(data);
}
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// Picture is what to make: as wide as Width, as a WebP or else as a JPEG.
type Picture struct {
	Width           int
	WebP            bool
	Quality, Effort int
}

// Start loads libvips into the process. It must be called before the rest, which may not be called concurrently.
func Start() error {
	if C.start() != 0 {
		return lastError()
	}
	return nil
}

// Render makes a picture of a JPEG and returns how many bytes it has.
func Render(jpeg []byte, p Picture) (int, error) {
	var out unsafe.Pointer
	var length C.size_t
	webp := C.int(0)
	if p.WebP {
		webp = 1
	}
	failed := C.render(unsafe.Pointer(&jpeg[0]), C.size_t(len(jpeg)), C.int(p.Width), webp, C.int(p.Quality), C.int(p.Effort), &out, &length) != 0
	defer C.release(out)
	runtime.KeepAlive(jpeg)
	if failed {
		return 0, lastError()
	}
	return int(length), nil
}

// Progressive makes a progressive JPEG of another.
func Progressive(jpeg []byte) ([]byte, error) {
	var out unsafe.Pointer
	var length C.size_t
	failed := C.progressive(unsafe.Pointer(&jpeg[0]), C.size_t(len(jpeg)), &out, &length) != 0
	defer C.release(out)
	runtime.KeepAlive(jpeg)
	if failed {
		return nil, lastError()
	}
	return C.GoBytes(out, C.int(length)), nil
}

func lastError() error {
	text := C.GoString(C.vips_error_buffer())
	C.vips_error_clear()
	return errors.New("libvips: " + text)
}
