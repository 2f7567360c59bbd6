#include "internal.h"

/* Loading refuses what is truncated; other damage is either an error as well or left as a warning for Go to weigh. */
int
kadr_load(const KadrSource *from, int shrink, int page, int frames, VipsImage **out)
{
	VipsSource *source = vips_source_new_from_memory(from->data, from->length);
	int result = -1;

	if (source == NULL)
		return -1;
	switch (from->format) {
	case KADR_JPEG:
		result = vips_jpegload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			"shrink", shrink, NULL);
		break;
	case KADR_PNG:
		result = vips_pngload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			NULL);
		break;
	case KADR_GIF:
		result = vips_gifload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			"page", page, "n", frames, NULL);
		break;
	case KADR_WEBP:
		result = vips_webpload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED,
			"page", page, "n", frames, "scale", 1.0 / shrink, NULL);
		break;
	case KADR_AVIF:
	case KADR_HEIC:
		/* With no page asked for it is the primary picture, turned upright by libheif. */
		result = vips_heifload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			NULL);
		break;
	case KADR_TIFF:
		result = vips_tiffload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			NULL);
		break;
	default:
		vips_error("kadr", "unknown input format %d", from->format);
	}
	g_object_unref(source);
	return result;
}

int
kadr_scan(VipsImage *in, int from)
{
	VipsRegion *region = vips_region_new(in);
	int failed = -1;

	for (int y = from; y < in->Ysize; y += 16) {
		VipsRect rows = {0, y, in->Xsize, VIPS_MIN(16, in->Ysize - y)};
		if (vips_region_prepare(region, &rows)) {
			failed = y;
			break;
		}
	}
	g_object_unref(region);
	return failed;
}
