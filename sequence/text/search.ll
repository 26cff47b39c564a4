; The search for a few digits in the text, in LLVM's assembly language, as adder.ll is.
;
; At sixty-four places at a time the two first and the two last digits are compared. In digits
; that look random all four agree at one place of 10^4, so that a whole comparison is rare.
; Source: W. Muła, SIMD-friendly algorithms for substring searching (2016), the generic one.

; Whether so many bytes, at least one, are the same.
define private i1 @are_equal(ptr %a, ptr %b, i64 %count) {
entry:
  br label %byte

byte:
  %i       = phi i64 [0, %entry], [%i_next, %byte]
  %a_at    = getelementptr i8, ptr %a, i64 %i
  %b_at    = getelementptr i8, ptr %b, i64 %i
  %a_byte  = load i8, ptr %a_at
  %b_byte  = load i8, ptr %b_at
  %equal   = icmp eq i8 %a_byte, %b_byte
  %i_next  = add i64 %i, 1
  %more    = icmp ult i64 %i_next, %count
  %go_on   = and i1 %equal, %more
  br i1 %go_on, label %byte, label %done

done:
  ret i1 %equal
}

; The byte of %wanted at that place, sixty-four times.
define private <64 x i8> @repeated(ptr %wanted, i64 %place) alwaysinline {
  %at      = getelementptr i8, ptr %wanted, i64 %place
  %byte    = load i8, ptr %at
  %one     = insertelement <64 x i8> poison, i8 %byte, i64 0
  %all     = shufflevector <64 x i8> %one, <64 x i8> poison, <64 x i32> zeroinitializer
  ret <64 x i8> %all
}

; Which of the sixty-four places from %from on have that byte, so many bytes further.
define private <64 x i1> @have(ptr %from, i64 %further, <64 x i8> %byte) alwaysinline {
  %at      = getelementptr i8, ptr %from, i64 %further
  %bytes   = load <64 x i8>, ptr %at, align 1
  %have    = icmp eq <64 x i8> %bytes, %byte
  ret <64 x i1> %have
}

; The first place in the text of the bytes that are wanted, at least two, or -1.
define i64 @find(ptr %text, i64 %length, ptr %wanted, i64 %count) {
entry:
  %last_place  = sub i64 %length, %count
  %last        = sub i64 %count, 1
  %before_last = sub i64 %count, 2
  %byte_0      = call <64 x i8> @repeated(ptr %wanted, i64 0)
  %byte_1      = call <64 x i8> @repeated(ptr %wanted, i64 1)
  %byte_2      = call <64 x i8> @repeated(ptr %wanted, i64 %before_last)
  %byte_3      = call <64 x i8> @repeated(ptr %wanted, i64 %last)
  br label %next

next:
  %place       = phi i64 [0, %entry], [%place_64, %many], [%place_64, %wrong], [%place_1, %one]
  %place_63    = add i64 %place, 63
  %place_64    = add i64 %place, 64
  %place_1     = add i64 %place, 1
  %from        = getelementptr i8, ptr %text, i64 %place
  %has_many    = icmp sle i64 %place_63, %last_place
  br i1 %has_many, label %many, label %few

many:
  %have_0      = call <64 x i1> @have(ptr %from, i64 0, <64 x i8> %byte_0)
  %have_1      = call <64 x i1> @have(ptr %from, i64 1, <64 x i8> %byte_1)
  %have_2      = call <64 x i1> @have(ptr %from, i64 %before_last, <64 x i8> %byte_2)
  %have_3      = call <64 x i1> @have(ptr %from, i64 %last, <64 x i8> %byte_3)
  %have_firsts = and <64 x i1> %have_0, %have_1
  %have_lasts  = and <64 x i1> %have_2, %have_3
  %have_all    = and <64 x i1> %have_firsts, %have_lasts
  %candidates  = bitcast <64 x i1> %have_all to i64
  %has_none    = icmp eq i64 %candidates, 0
  br i1 %has_none, label %next, label %candidate

candidate:
  %left        = phi i64 [%candidates, %many], [%left_next, %wrong]
  %lane        = call i64 @llvm.cttz.i64(i64 %left, i1 true)
  %found_many  = add i64 %place, %lane
  %at          = getelementptr i8, ptr %text, i64 %found_many
  %is_it       = call i1 @are_equal(ptr %at, ptr %wanted, i64 %count)
  br i1 %is_it, label %found, label %wrong

wrong:
  %but_one     = sub i64 %left, 1
  %left_next   = and i64 %left, %but_one
  %is_last     = icmp eq i64 %left_next, 0
  br i1 %is_last, label %next, label %candidate

few:
  %has_one     = icmp sle i64 %place, %last_place
  br i1 %has_one, label %one, label %missing

one:
  %is_here     = call i1 @are_equal(ptr %from, ptr %wanted, i64 %count)
  br i1 %is_here, label %found, label %next

found:
  %result      = phi i64 [%found_many, %candidate], [%place, %one]
  ret i64 %result

missing:
  ret i64 -1
}
