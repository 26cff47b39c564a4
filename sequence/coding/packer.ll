; Huffman codes of digits and of what stands between them, packed for deflate and zstd.
;
; In LLVM's assembly language, which is the same for every machine, as sequence/text/adder.ll is:
; sixty-four digits are one vector, which LLVM lowers to whatever the machine has. The bits are
; those of docs/text-format.md, section 6. Words and vectors are taken to be little-endian.
;
; A digit's code has 3 or 4 bits and follows from the digit by arithmetic, so no table of codes is
; looked up: neighbours are joined three times, to the codes of 2, 4 and 8 digits. A shift by a
; code's length is a product with 2^length, as the processors without shifts of different lengths
; in a vector have products; and 2^length of two codes is the product of theirs.

; What differs between sets of codes: digits from %long_from on have 4 bits, those below 3. In zstd
; a digit's code is the digit + %base, less %drop if it has 4 bits. %codes are those of all bytes:
; each 32 bits, its length in the lowest 7. %description is zstd's of them, of so many bytes.
%table = type {i64, [64 x i8], [256 x i32], i8, i8, i8}

; A stream of bits: the last word, how many bits of it are used (0 to 63), where it is stored.
%stream = type {i64, i64, ptr}

; The stream with up to 64 more bits. Stores the word whether it is full or not, as a branch that
; is taken now and then would cost more.
define private %stream @append(%stream %before, i64 %bits, i64 %count) alwaysinline {
  %word      = extractvalue %stream %before, 0
  %used      = extractvalue %stream %before, 1
  %to        = extractvalue %stream %before, 2
  %shifted   = shl i64 %bits, %used
  %filled    = or i64 %word, %shifted
  store i64 %filled, ptr %to, align 1
  %total     = add i64 %used, %count
  ; What did not fit: bits >> (64 - used), in two steps, as a shift by 64 is undefined.
  %but_one   = lshr i64 %bits, 1
  %others    = xor i64 %used, 63
  %left_over = lshr i64 %but_one, %others
  %full      = icmp uge i64 %total, 64
  %word_then = select i1 %full, i64 %left_over, i64 %filled
  %used_then = and i64 %total, 63
  %words     = lshr i64 %total, 6
  %to_then   = getelementptr i64, ptr %to, i64 %words
  %one       = insertvalue %stream poison, i64 %word_then, 0
  %two       = insertvalue %stream %one, i64 %used_then, 1
  %after     = insertvalue %stream %two, ptr %to_then, 2
  ret %stream %after
}

; The stream with the codes of two lanes of eight digits.
define private %stream @append_lanes(
    %stream %before, <8 x i64> %bits, <8 x i64> %lengths, i64 %first, i64 %second) alwaysinline {
  %first_bits     = extractelement <8 x i64> %bits, i64 %first
  %second_bits    = extractelement <8 x i64> %bits, i64 %second
  %first_lengths  = extractelement <8 x i64> %lengths, i64 %first
  %second_lengths = extractelement <8 x i64> %lengths, i64 %second
  ; The eight lengths of a lane, a byte each: their sum is the highest byte of this product.
  %first_sum      = mul i64 %first_lengths, u0x0101010101010101
  %second_sum     = mul i64 %second_lengths, u0x0101010101010101
  %first_count    = lshr i64 %first_sum, 56
  %second_count   = lshr i64 %second_sum, 56
  %shifted        = shl i64 %second_bits, %first_count
  %both           = or i64 %first_bits, %shifted
  %count          = add i64 %first_count, %second_count
  %after          = call %stream @append(%stream %before, i64 %both, i64 %count)
  ret %stream %after
}

; The 4 bits of each byte in reverse, as deflate has the first bit of a code lowest.
define private <64 x i8> @reverse(<64 x i8> %bytes) alwaysinline {
  ; Shifts of 16 bits, as there are none of 8: what strays into the other byte is masked away.
  %pairs      = bitcast <64 x i8> %bytes to <32 x i16>
  %up_2       = shl <32 x i16> %pairs, splat (i16 2)
  %down_2     = lshr <32 x i16> %pairs, splat (i16 2)
  %halves     = or <32 x i16> %up_2, %down_2
  %even       = and <32 x i16> %halves, splat (i16 u0x0505)
  %up_1       = shl <32 x i16> %even, splat (i16 1)
  %down_1     = lshr <32 x i16> %halves, splat (i16 1)
  %odd        = and <32 x i16> %down_1, splat (i16 u0x0505)
  %swapped    = or <32 x i16> %up_1, %odd
  %result     = bitcast <32 x i16> %swapped to <64 x i8>
  ret <64 x i8> %result
}

; The stream with the codes of 64 digits, or of those only that %valid names: for deflate the
; first one first, or backwards, for zstd, the last one first.
define private %stream @append_digits(
    %stream %before, <64 x i8> %digits, <64 x i1> %valid, ptr %table, i1 %backwards) alwaysinline {
  %long_from_at = getelementptr %table, ptr %table, i64 0, i32 3
  %base_at      = getelementptr %table, ptr %table, i64 0, i32 4
  %drop_at      = getelementptr %table, ptr %table, i64 0, i32 5
  %long_from_1  = load i8, ptr %long_from_at
  %base_1       = load i8, ptr %base_at
  %drop_1       = load i8, ptr %drop_at
  %long_from_v  = insertelement <64 x i8> poison, i8 %long_from_1, i64 0
  %base_v       = insertelement <64 x i8> poison, i8 %base_1, i64 0
  %drop_v       = insertelement <64 x i8> poison, i8 %drop_1, i64 0
  %long_from    = shufflevector <64 x i8> %long_from_v, <64 x i8> poison, <64 x i32> zeroinitializer
  %base         = shufflevector <64 x i8> %base_v, <64 x i8> poison, <64 x i32> zeroinitializer
  %drop         = shufflevector <64 x i8> %drop_v, <64 x i8> poison, <64 x i32> zeroinitializer

  %is_long      = icmp sge <64 x i8> %digits, %long_from
  %long         = sext <64 x i1> %is_long to <64 x i8>
  %all_lengths  = sub <64 x i8> splat (i8 3), %long
  %add_8        = and <64 x i8> %long, splat (i8 8)
  %all_powers   = add <64 x i8> %add_8, splat (i8 8)

  ; zstd: see %table.
  %raised       = add <64 x i8> %digits, %base
  %lowered      = and <64 x i8> %drop, %long
  %zstd_codes   = sub <64 x i8> %raised, %lowered
  ; deflate: digits 0 to 4 have codes 0 to 4 of 3 bits, 5 to 9 have 10 to 14 of 4 bits. With a 0
  ; behind those of 3 bits all have 4, and reversed it is no bit of them.
  %doubled      = add <64 x i8> %digits, %digits
  %plus_5       = add <64 x i8> %digits, splat (i8 5)
  %aligned      = call <64 x i8> @llvm.umin.v64i8(<64 x i8> %doubled, <64 x i8> %plus_5)
  %deflate_codes = call <64 x i8> @reverse(<64 x i8> %aligned)
  %either_codes = select i1 %backwards, <64 x i8> %zstd_codes, <64 x i8> %deflate_codes
  %all_codes    = and <64 x i8> %either_codes, splat (i8 15)

  ; The other lanes have codes of no bits.
  %lengths      = select <64 x i1> %valid, <64 x i8> %all_lengths, <64 x i8> zeroinitializer
  %powers       = select <64 x i1> %valid, <64 x i8> %all_powers, <64 x i8> splat (i8 1)
  %codes        = select <64 x i1> %valid, <64 x i8> %all_codes, <64 x i8> zeroinitializer

  ; Two digits: up to 8 bits in 16.
  %codes_1      = bitcast <64 x i8> %codes to <32 x i16>
  %powers_1     = bitcast <64 x i8> %powers to <32 x i16>
  %low_1        = and <32 x i16> %codes_1, splat (i16 255)
  %high_1       = lshr <32 x i16> %codes_1, splat (i16 8)
  %low_power_1  = and <32 x i16> %powers_1, splat (i16 255)
  %high_power_1 = lshr <32 x i16> %powers_1, splat (i16 8)
  %first_1      = select i1 %backwards, <32 x i16> %high_1, <32 x i16> %low_1
  %second_1     = select i1 %backwards, <32 x i16> %low_1, <32 x i16> %high_1
  %power_1      = select i1 %backwards, <32 x i16> %high_power_1, <32 x i16> %low_power_1
  %shifted_1    = mul <32 x i16> %second_1, %power_1
  %joined_2     = or <32 x i16> %first_1, %shifted_1
  %joined_2p    = mul <32 x i16> %low_power_1, %high_power_1

  ; Four digits: up to 16 bits in 32.
  %codes_2      = bitcast <32 x i16> %joined_2 to <16 x i32>
  %powers_2     = bitcast <32 x i16> %joined_2p to <16 x i32>
  %low_2        = and <16 x i32> %codes_2, splat (i32 65535)
  %high_2       = lshr <16 x i32> %codes_2, splat (i32 16)
  %low_power_2  = and <16 x i32> %powers_2, splat (i32 65535)
  %high_power_2 = lshr <16 x i32> %powers_2, splat (i32 16)
  %first_2      = select i1 %backwards, <16 x i32> %high_2, <16 x i32> %low_2
  %second_2     = select i1 %backwards, <16 x i32> %low_2, <16 x i32> %high_2
  %power_2      = select i1 %backwards, <16 x i32> %high_power_2, <16 x i32> %low_power_2
  %shifted_2    = mul <16 x i32> %second_2, %power_2
  %joined_4     = or <16 x i32> %first_2, %shifted_2
  %joined_4p    = mul <16 x i32> %low_power_2, %high_power_2

  ; Eight digits: up to 32 bits in 64.
  %codes_4      = bitcast <16 x i32> %joined_4 to <8 x i64>
  %powers_4     = bitcast <16 x i32> %joined_4p to <8 x i64>
  %low_4        = and <8 x i64> %codes_4, splat (i64 u0xffffffff)
  %high_4       = lshr <8 x i64> %codes_4, splat (i64 32)
  %low_power_4  = and <8 x i64> %powers_4, splat (i64 u0xffffffff)
  %high_power_4 = lshr <8 x i64> %powers_4, splat (i64 32)
  %first_4      = select i1 %backwards, <8 x i64> %high_4, <8 x i64> %low_4
  %second_4     = select i1 %backwards, <8 x i64> %low_4, <8 x i64> %high_4
  %power_4      = select i1 %backwards, <8 x i64> %high_power_4, <8 x i64> %low_power_4
  %shifted_4    = mul <8 x i64> %second_4, %power_4
  %joined_8     = or <8 x i64> %first_4, %shifted_4
  %lengths_8    = bitcast <64 x i8> %lengths to <8 x i64>

  %lane_0       = select i1 %backwards, i64 7, i64 0
  %lane_1       = select i1 %backwards, i64 6, i64 1
  %lane_2       = select i1 %backwards, i64 5, i64 2
  %lane_3       = select i1 %backwards, i64 4, i64 3
  %lane_4       = select i1 %backwards, i64 3, i64 4
  %lane_5       = select i1 %backwards, i64 2, i64 5
  %lane_6       = select i1 %backwards, i64 1, i64 6
  %lane_7       = select i1 %backwards, i64 0, i64 7
  %after_16     = call %stream @append_lanes(
      %stream %before, <8 x i64> %joined_8, <8 x i64> %lengths_8, i64 %lane_0, i64 %lane_1)
  %after_32     = call %stream @append_lanes(
      %stream %after_16, <8 x i64> %joined_8, <8 x i64> %lengths_8, i64 %lane_2, i64 %lane_3)
  %after_48     = call %stream @append_lanes(
      %stream %after_32, <8 x i64> %joined_8, <8 x i64> %lengths_8, i64 %lane_4, i64 %lane_5)
  %after        = call %stream @append_lanes(
      %stream %after_48, <8 x i64> %joined_8, <8 x i64> %lengths_8, i64 %lane_6, i64 %lane_7)
  ret %stream %after
}

; The stream with the codes of some of the 64 bytes, which are digits: of `count` lanes. Not
; inlined, as LLVM would then share code with the loop over whole vectors, and slow that down.
define private %stream @append_some(
    %stream %before, ptr %window, i64 %first, i64 %count, ptr %table, i1 %backwards) noinline {
  %bytes      = load <64 x i8>, ptr %window, align 1
  %digits     = xor <64 x i8> %bytes, splat (i8 48)
  %lane       = call <64 x i8> @llvm.stepvector.v64i8()
  %first_8    = trunc i64 %first to i8
  %count_8    = trunc i64 %count to i8
  %first_v    = insertelement <64 x i8> poison, i8 %first_8, i64 0
  %count_v    = insertelement <64 x i8> poison, i8 %count_8, i64 0
  %firsts     = shufflevector <64 x i8> %first_v, <64 x i8> poison, <64 x i32> zeroinitializer
  %counts     = shufflevector <64 x i8> %count_v, <64 x i8> poison, <64 x i32> zeroinitializer
  %after_first = sub <64 x i8> %lane, %firsts
  %valid      = icmp ult <64 x i8> %after_first, %counts
  %after      = call %stream @append_digits(
      %stream %before, <64 x i8> %digits, <64 x i1> %valid, ptr %table, i1 %backwards)
  ret %stream %after
}

; Writes the codes of the bytes of text, the first one first or, backwards, the last one first,
; from the given bit of `out` on; returns the bit after them. Writes up to 8 bytes beyond that.
define private i64 @pack(
    ptr %table, ptr %text, i64 %length, ptr %out, i64 %bit, i1 %backwards) alwaysinline {
entry:
  %near_end   = alloca <64 x i8>
  %words_0    = lshr i64 %bit, 6
  %to_0       = getelementptr i64, ptr %out, i64 %words_0
  %used_0     = and i64 %bit, 63
  %before     = load i64, ptr %to_0, align 1
  %above      = shl i64 -1, %used_0
  %below      = xor i64 %above, -1
  %word_0     = and i64 %before, %below
  %stream_a   = insertvalue %stream poison, i64 %word_0, 0
  %stream_b   = insertvalue %stream %stream_a, i64 %used_0, 1
  %stream_0   = insertvalue %stream %stream_b, ptr %to_0, 2
  br label %next

next:
  %left       = phi i64 [%length, %entry], [%left_64, %all], [%left_some, %some], [%left_1, %other]
  %stream     = phi %stream [%stream_0, %entry], [%stream_64, %all], [%stream_some, %some], [%stream_1, %other]
  %done       = sub i64 %length, %left
  %left_64    = sub i64 %left, 64
  %are_64     = icmp uge i64 %left, 64
  %from_64    = select i1 %backwards, i64 %left_64, i64 %done
  %at_64      = getelementptr i8, ptr %text, i64 %from_64
  br i1 %are_64, label %look, label %end

end:
  %are_any    = icmp ne i64 %left, 0
  br i1 %are_any, label %copy, label %finish

copy:
  ; Fewer than 64 bytes are left: as the first, or backwards the last, of 64 that are no digits.
  store <64 x i8> zeroinitializer, ptr %near_end
  %missing    = sub i64 64, %left
  %shift      = select i1 %backwards, i64 %missing, i64 0
  %rest_from  = select i1 %backwards, i64 0, i64 %done
  %copied     = getelementptr i8, ptr %near_end, i64 %shift
  %rest       = getelementptr i8, ptr %text, i64 %rest_from
  call void @llvm.memcpy.p0.p0.i64(ptr %copied, ptr %rest, i64 %left, i1 false)
  br label %look

look:
  %window     = phi ptr [%at_64, %next], [%near_end, %copy]
  %bytes      = load <64 x i8>, ptr %window, align 1
  %values     = xor <64 x i8> %bytes, splat (i8 48)
  %no_digit   = icmp ugt <64 x i8> %values, splat (i8 9)
  %no_digits  = bitcast <64 x i1> %no_digit to i64
  %are_digits = icmp eq i64 %no_digits, 0
  br i1 %are_digits, label %all, label %not_all

all:
  %stream_64  = call %stream @append_digits(
      %stream %stream, <64 x i8> %values, <64 x i1> splat (i1 true), ptr %table, i1 %backwards)
  br label %next

not_all:
  %digits_up  = call i64 @llvm.cttz.i64(i64 %no_digits, i1 true)
  %digits_dn  = call i64 @llvm.ctlz.i64(i64 %no_digits, i1 true)
  %digits     = select i1 %backwards, i64 %digits_dn, i64 %digits_up
  %left_some  = sub i64 %left, %digits
  %is_some    = icmp ne i64 %digits, 0
  br i1 %is_some, label %some, label %other

some:
  %last_first = sub i64 64, %digits
  %first      = select i1 %backwards, i64 %last_first, i64 0
  %stream_some = call %stream @append_some(
      %stream %stream, ptr %window, i64 %first, i64 %digits, ptr %table, i1 %backwards)
  br label %next

other:
  %left_1     = sub i64 %left, 1
  %from_1     = select i1 %backwards, i64 %left_1, i64 %done
  %at_1       = getelementptr i8, ptr %text, i64 %from_1
  %byte_8     = load i8, ptr %at_1
  %byte       = zext i8 %byte_8 to i64
  %code_at    = getelementptr %table, ptr %table, i64 0, i32 2, i64 %byte
  %code_32    = load i32, ptr %code_at
  %code       = zext i32 %code_32 to i64
  %code_bits  = lshr i64 %code, 7
  %code_count = and i64 %code, 127
  %stream_1   = call %stream @append(%stream %stream, i64 %code_bits, i64 %code_count)
  br label %next

finish:
  %word       = extractvalue %stream %stream, 0
  %used       = extractvalue %stream %stream, 1
  %to         = extractvalue %stream %stream, 2
  store i64 %word, ptr %to, align 1
  %out_n      = ptrtoint ptr %out to i64
  %to_n       = ptrtoint ptr %to to i64
  %to_bytes   = sub i64 %to_n, %out_n
  %to_bits    = shl i64 %to_bytes, 3
  %stop       = add i64 %to_bits, %used
  ret i64 %stop
}

; Writes the deflate codes of the text from the given bit of `out` on; returns the bit after them.
define i64 @deflate(ptr %table, ptr %text, i64 %length, ptr %out, i64 %bit) {
  %stop = call i64 @pack(ptr %table, ptr %text, i64 %length, ptr %out, i64 %bit, i1 false)
  ret i64 %stop
}

; How many digits there are from the start of the text, of `most` at most.
define private i64 @digits(ptr %text, i64 %most) alwaysinline {
entry:
  br label %next

next:
  %count     = phi i64 [0, %entry], [%count_64, %look], [%count_1, %look_1]
  %count_64  = add i64 %count, 64
  %count_1   = add i64 %count, 1
  %at        = getelementptr i8, ptr %text, i64 %count
  %are_64    = icmp ule i64 %count_64, %most
  br i1 %are_64, label %look, label %end

look:
  %bytes     = load <64 x i8>, ptr %at, align 1
  %values    = xor <64 x i8> %bytes, splat (i8 48)
  %no_digit  = icmp ugt <64 x i8> %values, splat (i8 9)
  %no_digits = bitcast <64 x i1> %no_digit to i64
  %none      = icmp eq i64 %no_digits, 0
  br i1 %none, label %next, label %found

found:
  %inside    = call i64 @llvm.cttz.i64(i64 %no_digits, i1 true)
  %reached   = add i64 %count, %inside
  ret i64 %reached

end:
  %are_any   = icmp ult i64 %count, %most
  br i1 %are_any, label %look_1, label %done

look_1:
  %byte      = load i8, ptr %at
  %value     = xor i8 %byte, 48
  %is_digit  = icmp ule i8 %value, 9
  br i1 %is_digit, label %next, label %done

done:
  ret i64 %count
}

; Writes a block of the text's bytes as they are; returns its end.
define private ptr @raw_block(ptr %text, i64 %length, ptr %out) {
  %header    = shl i64 %length, 3
  %header_24 = trunc i64 %header to i24
  store i24 %header_24, ptr %out, align 1
  %content   = getelementptr i8, ptr %out, i64 3
  call void @llvm.memcpy.p0.p0.i64(ptr %content, ptr %text, i64 %length, i1 false)
  %end       = getelementptr i8, ptr %content, i64 %length
  ret ptr %end
}

; Writes a block of Huffman literals in four streams, without sequences; returns its end. The
; codes are described in it unless the decoder `knows` them. At least six bytes of text.
define private ptr @literals_block(
    ptr %table, i1 %knows, ptr %text, i64 %length, ptr %out) {
entry:
  ; 3 bytes of block header, 5 of literals header, the description, 6 of lengths, the streams.
  %literals       = getelementptr i8, ptr %out, i64 3
  %description    = getelementptr i8, ptr %out, i64 8
  %described_at   = getelementptr %table, ptr %table, i64 0, i32 1
  %described      = load <64 x i8>, ptr %described_at, align 4
  store <64 x i8> %described, ptr %description, align 1
  %length_at      = getelementptr %table, ptr %table, i64 0, i32 0
  %length_if_new  = load i64, ptr %length_at
  %describing     = select i1 %knows, i64 0, i64 %length_if_new
  %lengths        = getelementptr i8, ptr %description, i64 %describing
  %streams        = getelementptr i8, ptr %lengths, i64 6
  %and_three      = add i64 %length, 3
  %quarter        = lshr i64 %and_three, 2
  br label %stream

stream:
  %start          = phi i64 [0, %entry], [%stop, %stream]
  %shift          = phi i64 [0, %entry], [%shift_next, %stream]
  %packed_lengths = phi i64 [0, %entry], [%lengths_next, %stream]
  %to             = phi ptr [%streams, %entry], [%to_next, %stream]
  %full_stop      = add i64 %start, %quarter
  %stop           = call i64 @llvm.umin.i64(i64 %full_stop, i64 %length)
  %count          = sub i64 %stop, %start
  %from           = getelementptr i8, ptr %text, i64 %start
  %bits           = call i64 @pack(ptr %table, ptr %from, i64 %count, ptr %to, i64 0, i1 true)
  ; A bit of 1 tells the decoder, which begins at the end, where the codes begin.
  %whole          = lshr i64 %bits, 3
  %last           = getelementptr i8, ptr %to, i64 %whole
  %last_codes     = load i8, ptr %last
  %in_last        = and i64 %bits, 7
  %mark           = shl i64 1, %in_last
  %mark_8         = trunc i64 %mark to i8
  %marked         = or i8 %last_codes, %mark_8
  store i8 %marked, ptr %last
  %bytes          = add i64 %whole, 1
  %to_next        = getelementptr i8, ptr %to, i64 %bytes
  %shifted        = shl i64 %bytes, %shift
  %lengths_next   = or i64 %packed_lengths, %shifted
  %shift_next     = add i64 %shift, 16
  %more           = icmp ult i64 %shift_next, 64
  br i1 %more, label %stream, label %finish

finish:
  ; The fourth length follows from that of the literals.
  %three_lengths  = trunc i64 %lengths_next to i48
  store i48 %three_lengths, ptr %lengths, align 1
  store i8 0, ptr %to_next
  %end            = getelementptr i8, ptr %to_next, i64 1

  %out_n          = ptrtoint ptr %out to i64
  %streams_end    = ptrtoint ptr %to_next to i64
  %all_bytes      = sub i64 %streams_end, %out_n
  %coded_bytes    = sub i64 %all_bytes, 8
  ; Literals header: type (2, or 3 where the codes are known), format 3 (four streams, 18 bits a
  ; length), length of the text, length of all that follows.
  %type           = select i1 %knows, i64 15, i64 14
  %plain          = shl i64 %length, 4
  %coded          = shl i64 %coded_bytes, 22
  %type_plain     = or i64 %type, %plain
  %header         = or i64 %type_plain, %coded
  %header_40      = trunc i64 %header to i40
  store i40 %header_40, ptr %literals, align 1
  ; Block header: not the last, type 2 (compressed), length of what follows.
  %block_bytes    = sub i64 %all_bytes, 2
  %block          = shl i64 %block_bytes, 3
  %block_header   = or i64 %block, 4
  %block_24       = trunc i64 %block_header to i24
  store i24 %block_24, ptr %out, align 1
  ret ptr %end
}

; Writes a stretch of other text than long runs of digits, as the smaller of the two: literals,
; then with the codes `wide`, or raw. Returns its end, and the codes that the decoder then knows.
define private {ptr, ptr} @stretch(
    ptr %wide, ptr %known, ptr %text, i64 %length, ptr %out) {
entry:
  %tiny      = icmp ult i64 %length, 64
  br i1 %tiny, label %raw, label %literals

literals:
  %knows     = icmp eq ptr %wide, %known
  %coded_end = call ptr @literals_block(
      ptr %wide, i1 %knows, ptr %text, i64 %length, ptr %out)
  %raw_bytes = add i64 %length, 3
  %raw_stop  = getelementptr i8, ptr %out, i64 %raw_bytes
  %smaller   = icmp ult ptr %coded_end, %raw_stop
  br i1 %smaller, label %finish, label %raw

raw:
  %raw_end   = call ptr @raw_block(ptr %text, i64 %length, ptr %out)
  br label %finish

finish:
  %end       = phi ptr [%coded_end, %literals], [%raw_end, %raw]
  %then      = phi ptr [%wide, %literals], [%known, %raw]
  %partial   = insertvalue {ptr, ptr} poison, ptr %end, 0
  %result    = insertvalue {ptr, ptr} %partial, ptr %then, 1
  ret {ptr, ptr} %result
}

; What lasts from one part of a text to the next: the table whose codes the decoder knows, and
; how many bytes of the last part were taken.
%state = type {ptr, i64}

; Writes those blocks of the text that are settled whatever follows it, or all if it is `final`;
; returns their length. %complete is the table for long runs of digits, %wide the one for others.
define i64 @zstd(ptr %complete, ptr %wide, ptr %text, i64 %length, i64 %final, ptr %out,
                 ptr %state) {
entry:
  %is_final    = icmp ne i64 %final, 0
  %known_0     = load ptr, ptr %state
  br label %next

next:
  ; A stretch from `start` to `at` waits for its end.
  %start       = phi i64 [0, %entry], [%stop, %long], [%start_next, %short]
  %at          = phi i64 [0, %entry], [%stop, %long], [%at_next, %short]
  %to          = phi ptr [%out, %entry], [%to_long, %long], [%to_short, %short]
  %codes       = phi ptr [%known_0, %entry], [%complete, %long], [%codes_short, %short]
  %here        = getelementptr i8, ptr %text, i64 %at
  %left        = sub i64 %length, %at
  %most        = call i64 @llvm.umin.i64(i64 %left, i64 133120)
  %run         = call i64 @digits(ptr %here, i64 %most)
  %waiting     = sub i64 %at, %start
  %waits       = icmp ne i64 %waiting, 0
  %waiting_at  = getelementptr i8, ptr %text, i64 %start
  ; A block has 131072 bytes at most, and leaves none or 2048 digits at least to the next.
  %above_one   = icmp ugt i64 %run, 131072
  %but_2048    = sub i64 %run, 2048
  %block       = select i1 %above_one, i64 %but_2048, i64 %run
  %stop        = add i64 %at, %block
  ; Whether more digits may follow: the text ends here, and the run is not the longest.
  %at_end      = icmp eq i64 %run, %left
  %below_max   = icmp ult i64 %run, 133120
  %may_go_on   = and i1 %at_end, %below_max
  br i1 %may_go_on, label %ended, label %settled

ended:
  %is_any      = icmp ne i64 %left, 0
  %is_last     = and i1 %is_final, %is_any
  br i1 %is_last, label %settled, label %finish

settled:
  %is_long     = icmp uge i64 %run, 2048
  %with_next   = add i64 %run, 1
  %and_next    = call i64 @llvm.umin.i64(i64 %with_next, i64 %left)
  %wanted      = add i64 %waiting, %and_next
  %is_full     = icmp ugt i64 %wanted, 131072
  %closes      = or i1 %is_long, %is_full
  %flushes     = and i1 %closes, %waits
  br i1 %flushes, label %flush, label %take

flush:
  %flushed     = call {ptr, ptr} @stretch(
      ptr %wide, ptr %codes, ptr %waiting_at, i64 %waiting, ptr %to)
  %to_flush    = extractvalue {ptr, ptr} %flushed, 0
  %codes_flush = extractvalue {ptr, ptr} %flushed, 1
  br label %take

take:
  %start_next  = phi i64 [%start, %settled], [%at, %flush]
  %to_short    = phi ptr [%to, %settled], [%to_flush, %flush]
  %codes_short = phi ptr [%codes, %settled], [%codes_flush, %flush]
  br i1 %is_long, label %long, label %short

long:
  %knows       = icmp eq ptr %codes_short, %complete
  %to_long     = call ptr @literals_block(
      ptr %complete, i1 %knows, ptr %here, i64 %block, ptr %to_short)
  br label %next

short:
  %at_next     = add i64 %at, %and_next
  br label %next

finish:
  %is_rest     = and i1 %is_final, %waits
  br i1 %is_rest, label %rest, label %return

rest:
  %rest_block  = call {ptr, ptr} @stretch(
      ptr %wide, ptr %codes, ptr %waiting_at, i64 %waiting, ptr %to)
  %to_rest     = extractvalue {ptr, ptr} %rest_block, 0
  %codes_rest  = extractvalue {ptr, ptr} %rest_block, 1
  br label %return

return:
  %taken_bytes = phi i64 [%start, %finish], [%at, %rest]
  %end         = phi ptr [%to, %finish], [%to_rest, %rest]
  %codes_last  = phi ptr [%codes, %finish], [%codes_rest, %rest]
  %taken       = getelementptr %state, ptr %state, i64 0, i32 1
  store ptr %codes_last, ptr %state
  store i64 %taken_bytes, ptr %taken
  %out_n       = ptrtoint ptr %out to i64
  %end_n       = ptrtoint ptr %end to i64
  %written     = sub i64 %end_n, %out_n
  ret i64 %written
}
