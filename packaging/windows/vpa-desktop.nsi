; The installer for Windows: for one person, without an administrator. nsis.py runs makensis with
;   VERSION, SOURCE (the frozen folder), TARGET (the installer), ICON, LICENCE, SIZE_KB, VERSION_4 (a.b.c.0)
; Conversations and settings lie in %LOCALAPPDATA%\vpa-desktop and are never touched, not by the uninstaller either.
Unicode true
SetCompressor /SOLID lzma
!include "MUI2.nsh"
!include "WordFunc.nsh"
!include "FileFunc.nsh"

!define KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\VPA Desktop"

Name "VPA Desktop"
OutFile "${TARGET}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\VPA Desktop"
InstallDirRegKey HKCU "${KEY}" "InstallLocation"
BrandingText "VPA Desktop ${VERSION}"
ManifestDPIAware true

VIProductVersion "${VERSION_4}"
VIAddVersionKey "ProductName" "VPA Desktop"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "VPA Desktop installer"
VIAddVersionKey "LegalCopyright" "MIT licence"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_ABORTWARNING
!insertmacro MUI_PAGE_LICENSE "${LICENCE}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!define MUI_FINISHPAGE_RUN "$INSTDIR\vpa-desktop-window.exe"
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

Function Refuse
    ; The sentence is on the stack. A silent installation has nobody to read a box: it ends with an exit code.
    Pop $0
    SetErrorLevel 1
    IfSilent +2
    MessageBox MB_OK|MB_ICONSTOP "$0"
    Abort
FunctionEnd

Function .onInit
    ReadRegStr $1 HKCU "${KEY}" "DisplayVersion"
    StrCmp $1 "" not_newer
    ${VersionCompare} "$1" "${VERSION}" $2
    StrCmp $2 "1" 0 not_newer
    Push "VPA Desktop $1 is installed, which is newer than ${VERSION}. Nothing was changed. Remove it first if you want the older one; conversations stay."
    Call Refuse
not_newer:
FunctionEnd

Function IsOpen
    ; A file of a running program cannot be opened for writing.
    IfFileExists "$INSTDIR\vpa-desktop.exe" 0 closed
    ClearErrors
    FileOpen $3 "$INSTDIR\vpa-desktop.exe" a
    IfErrors open
    FileClose $3
    IfFileExists "$INSTDIR\vpa-desktop-window.exe" 0 closed
    ClearErrors
    FileOpen $3 "$INSTDIR\vpa-desktop-window.exe" a
    IfErrors open
    FileClose $3
closed:
    Return
open:
    Push "VPA Desktop is open. Its files cannot be exchanged under it. Close it and start the installer again."
    Call Refuse
FunctionEnd

Section "VPA Desktop"
    Call IsOpen
    ${GetRoot} "$INSTDIR" $4
    ${DriveSpace} "$4" "/D=F /S=K" $5
    IntCmpU $5 ${SIZE_KB} enough 0 enough
    Push "There is too little room on $4. VPA Desktop needs ${SIZE_KB} KB and $5 are free. Nothing was changed. Free some room and start the installer again."
    Call Refuse
enough:
    ; Unpacked whole beside the old version: what fails until here leaves that as it was. Only what an installer made is
    ; exchanged: a person may have chosen a folder with things of their own in it.
    RMDir /r "$INSTDIR\new"
    SetOutPath "$INSTDIR\new"
    ClearErrors
    File /r "${SOURCE}\*"
    IfErrors 0 unpacked
    SetOutPath "$TEMP"
    RMDir /r "$INSTDIR\new"
    Push "The files could not be written to $INSTDIR. Nothing was changed. Choose another folder and start the installer again."
    Call Refuse
unpacked:
    SetOutPath "$TEMP"
    RMDir /r "$INSTDIR\_internal"
    Delete "$INSTDIR\vpa-desktop.exe"
    Delete "$INSTDIR\vpa-desktop-window.exe"
    ClearErrors
    Rename "$INSTDIR\new\_internal" "$INSTDIR\_internal"
    Rename "$INSTDIR\new\vpa-desktop.exe" "$INSTDIR\vpa-desktop.exe"
    Rename "$INSTDIR\new\vpa-desktop-window.exe" "$INSTDIR\vpa-desktop-window.exe"
    IfErrors 0 renamed
    Push "The new version lies in $INSTDIR\new and could not be moved to its place. Another program has a file of it open. Close it and start the installer again."
    Call Refuse
renamed:
    RMDir "$INSTDIR\new"
    WriteUninstaller "$INSTDIR\uninstall.exe"
    CreateShortcut "$SMPROGRAMS\VPA Desktop.lnk" "$INSTDIR\vpa-desktop-window.exe"
    WriteRegStr HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\vpa-desktop.exe" "" "$INSTDIR\vpa-desktop.exe"
    WriteRegStr HKCU "${KEY}" "DisplayName" "VPA Desktop"
    WriteRegStr HKCU "${KEY}" "DisplayVersion" "${VERSION}"
    WriteRegStr HKCU "${KEY}" "DisplayIcon" "$INSTDIR\vpa-desktop-window.exe"
    WriteRegStr HKCU "${KEY}" "Publisher" "The VPA Desktop team"
    WriteRegStr HKCU "${KEY}" "InstallLocation" "$INSTDIR"
    WriteRegStr HKCU "${KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
    WriteRegStr HKCU "${KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
    WriteRegDWORD HKCU "${KEY}" "EstimatedSize" ${SIZE_KB}
    WriteRegDWORD HKCU "${KEY}" "NoModify" 1
    WriteRegDWORD HKCU "${KEY}" "NoRepair" 1
SectionEnd

Section "Uninstall"
    IfFileExists "$INSTDIR\vpa-desktop.exe" 0 gone
    ClearErrors
    FileOpen $3 "$INSTDIR\vpa-desktop-window.exe" a
    IfErrors open
    FileClose $3
    ; Only what the installer made: no folder that a person may have put something of their own into.
    RMDir /r "$INSTDIR\_internal"
    Delete "$INSTDIR\vpa-desktop.exe"
    Delete "$INSTDIR\vpa-desktop-window.exe"
gone:
    Delete "$INSTDIR\uninstall.exe"
    RMDir "$INSTDIR"
    Delete "$SMPROGRAMS\VPA Desktop.lnk"
    DeleteRegKey HKCU "${KEY}"
    DeleteRegKey HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\vpa-desktop.exe"
    Goto done
open:
    SetErrorLevel 1
    IfSilent +2
    MessageBox MB_OK|MB_ICONSTOP "VPA Desktop is open. Close it and start this again."
    Abort
done:
SectionEnd
