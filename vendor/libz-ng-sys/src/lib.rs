//! The functions, types and constants of `libz-ng-sys` that `flate2` calls, over `libz-rs-sys`.
//!
//! The two differ in one thing: `flate2` fills [`z_stream`] with allocation functions, `libz-rs-sys` with optional ones.
//! Both have one layout, because an optional function pointer is a nullable one.
#![allow(non_camel_case_types, non_snake_case)]

use libz_rs_sys as zlib;
use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

pub use zlib::{
    Z_BLOCK, Z_BUF_ERROR, Z_DATA_ERROR, Z_DEFAULT_STRATEGY, Z_DEFLATED, Z_FINISH, Z_FULL_FLUSH,
    Z_MEM_ERROR, Z_NEED_DICT, Z_NO_FLUSH, Z_OK, Z_PARTIAL_FLUSH, Z_STREAM_END, Z_STREAM_ERROR,
    Z_SYNC_FLUSH, zlibVersion,
};

pub type Bytef = u8;
pub type uInt = c_uint;
pub type uLong = c_ulong;
pub type voidpf = *mut c_void;
pub type alloc_func = unsafe extern "C" fn(voidpf, uInt, uInt) -> voidpf;
pub type free_func = unsafe extern "C" fn(voidpf, voidpf);

/// Never made here.
pub enum internal_state {}

/// `z_stream` of zlib.h.
#[repr(C)]
pub struct z_stream {
    pub next_in: *mut Bytef,
    pub avail_in: uInt,
    pub total_in: c_ulong,
    pub next_out: *mut Bytef,
    pub avail_out: uInt,
    pub total_out: c_ulong,
    pub msg: *mut c_char,
    pub state: *mut internal_state,
    pub zalloc: alloc_func,
    pub zfree: free_func,
    pub opaque: voidpf,
    pub data_type: c_int,
    pub adler: c_ulong,
    pub reserved: uLong,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<z_stream>() == size_of::<zlib::z_stream>());
    assert!(offset_of!(z_stream, zalloc) == offset_of!(zlib::z_stream, zalloc));
    assert!(offset_of!(z_stream, adler) == offset_of!(zlib::z_stream, adler));
    assert!(offset_of!(z_stream, msg) == offset_of!(zlib::z_stream, msg));
};

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty),*);)+) => {$(
        /// As in zlib.h.
        ///
        /// # Safety
        /// As in zlib.h.
        pub unsafe extern "C" fn $name(stream: *mut z_stream, $($argument: $kind),*) -> c_int {
            // SAFETY: the layouts are equal (asserted above); all else is the caller's promise.
            unsafe { zlib::$name(stream.cast(), $($argument),*) }
        }
    )+};
}

passed_on! {
    deflate(flush: c_int);
    deflateEnd();
    deflateReset();
    deflateParams(level: c_int, strategy: c_int);
    deflateSetDictionary(dictionary: *const Bytef, length: uInt);
    deflateInit2_(level: c_int, method: c_int, window_bits: c_int, mem_level: c_int, strategy: c_int, version: *const c_char, stream_size: c_int);
    inflate(flush: c_int);
    inflateEnd();
    inflateReset();
    inflateReset2(window_bits: c_int);
    inflateSetDictionary(dictionary: *const Bytef, length: uInt);
    inflateInit2_(window_bits: c_int, version: *const c_char, stream_size: c_int);
}
